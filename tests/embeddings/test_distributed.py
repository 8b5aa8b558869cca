"""Many machines: the same bytes as one, whoever dies."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tifffile
from typer.testing import CliRunner

from napari_scalescope.cli import app
from napari_scalescope.cli.whole_slides import Request, embed_slides
from napari_scalescope.embeddings import Progress, clusters, shards
from napari_scalescope.embeddings.crew import SHARD_TILES
from napari_scalescope.embeddings.distributed import embed_distributed
from napari_scalescope.errors import ClusterError, EncoderError

from ..slides.conftest import smooth_picture, write_pyramid
from ..slides.memory import coloured_slide, memory_slide
from . import remote
from .fake import FakeEncoder
from .test_store import tree

distributed = pytest.importorskip("distributed")

pytestmark = [
    # Sockets and loops of dask are closed by its threads some time after a cluster has ended.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Cluster:
    """Two worker processes that know the encoder "logged", and what it has computed."""

    def __init__(self, folder: Path, delay_s: float = 0.0) -> None:
        self.log = folder / "log"
        self.log.mkdir(parents=True)
        environment = {
            "SCALESCOPE_TEST_LOG": str(self.log),
            "SCALESCOPE_TEST_DELAY_S": str(delay_s),
            "XDG_DATA_HOME": str(folder),  # nothing a user has set counts
        }
        self.local = distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=":0",
            preload=remote.__file__,
            env=environment,
        )
        self.client = distributed.Client(self.local, set_as_default=False)

    @property
    def computed(self) -> Counter[str]:
        """How often each tile was computed, by a hash of its pixels."""
        return Counter(line for p in self.log.iterdir() for line in p.read_text().splitlines())

    def pids(self) -> list[int]:
        """Of the workers that have computed something: all kills are to hit work."""
        processes = [nanny.process for nanny in self.local.workers.values()]
        pids = [p.pid for p in processes if p is not None and p.status.name == "running"]
        return [pid for pid in pids if (self.log / f"{pid}.log").exists()]

    def close(self) -> None:
        self.client.close()
        self.local.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("slides")
    for number, size in enumerate(((3000, 2400), (2600, 2000))):
        pixels = coloured_slide(*size).read_level(0, 0, 0, *size)
        write_pyramid(folder / f"{number}.tif", pixels, mpp=0.5, compression="deflate")
    return [folder / "0.tif", folder / "1.tif"]


@pytest.fixture(scope="module")
def local(slides: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one machine makes of them."""
    store = tmp_path_factory.mktemp("local") / "store"
    return embed_slides(Request(tuple(slides), ("logged",), (0.5, 1.0), store, keep=("attention",)))


@contextmanager
def quiet() -> Iterator[None]:
    """Without what dask logs of workers that die: it is what the test is about."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


OPTIONS: dict[str, Any] = {"encoders": ["logged"], "mpps": [0.5, 1.0], "keep": ["attention"]}


def rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    left_out = ("seconds", "reading", "encoding", "writing", "path")
    return [{k: v for k, v in row.items() if k not in left_out} for row in report["sets"]]


def test_the_same_bytes_and_the_same_report(
    cluster: Cluster, slides: list[Path], local: dict[str, Any], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.svs"
    bad.write_text("no slide")
    seen: list[Progress] = []
    given = [slides[0], bad, slides[1]]
    report = embed_distributed(
        given, out=tmp_path / "store", scheduler=cluster.client, progress=seen.append, **OPTIONS
    )
    assert tree(tmp_path / "store") == tree(Path(local["out"]))
    assert rows(report) == rows(local)
    assert [failed["slide"] for failed in report["failed"]] == [str(bad)]
    assert seen[-1].done == seen[-1].total == sum(row["tiles"] for row in local["sets"])
    count = cluster.computed.total()
    assert count == seen[-1].total
    again = embed_distributed(slides, out=tmp_path / "store", scheduler=cluster.client, **OPTIONS)
    assert cluster.computed.total() == count
    assert [row["encoded"] for row in again["sets"]] == [0] * 4
    assert [row["reused"] for row in again["sets"]] == [row["tiles"] for row in local["sets"]]


def test_interrupted_it_goes_on(
    cluster: Cluster, slides: list[Path], local: dict[str, Any], tmp_path: Path
) -> None:
    def stop(progress: Progress) -> None:
        if progress.done > 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_distributed(
            slides, out=tmp_path / "store", scheduler=cluster.client, progress=stop, **OPTIONS
        )
    report = embed_distributed(slides, out=tmp_path / "store", scheduler=cluster.client, **OPTIONS)
    assert sum(row["reused"] for row in report["sets"]) > 300
    assert tree(tmp_path / "store") == tree(Path(local["out"]))


def test_the_builtin_encoder(cluster: Cluster, tmp_path: Path) -> None:
    pixels = coloured_slide(2200, 1800).read_level(0, 0, 0, 2200, 1800)
    write_pyramid(tmp_path / "slide.tif", pixels, mpp=0.5, compression="deflate")
    slide = tmp_path / "slide.tif"
    embed_slides(Request((slide,), ("builtin",), (0.5,), tmp_path / "a", keep=("attention",)))
    embed_distributed(
        [slide],
        ["builtin"],
        [0.5],
        tmp_path / "b",
        scheduler=cluster.local,
        keep=["attention"],
    )
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


@pytest.mark.slow
def test_workers_are_killed_at_random_instants(
    slides: list[Path], local: dict[str, Any], tmp_path: Path
) -> None:
    total = sum(row["tiles"] for row in local["sets"])
    cluster = Cluster(tmp_path / "cluster", delay_s=0.003)
    dice, kills, over = random.Random(3), 0, threading.Event()

    def kill() -> None:
        nonlocal kills
        # dask gives a task up over which four workers died, should chance have it so.
        while not over.wait(dice.uniform(0, 1)) and kills < 3:
            if pids := cluster.pids():
                os.kill(dice.choice(pids), signal.SIGKILL)
                kills += 1

    killer = threading.Thread(target=kill)
    with quiet():
        try:
            killer.start()
            report = embed_distributed(
                slides, out=tmp_path / "store", scheduler=cluster.client, wait_s=60, **OPTIONS
            )
        finally:
            over.set()
            killer.join()
            computed = cluster.computed
            cluster.close()
    assert not report["failed"]
    assert rows(report) == rows(local)
    assert kills > 1
    assert tree(tmp_path / "store") == tree(Path(local["out"]))
    # Every kill costs the batch in flight and the one before, if it is still being written: the
    # encoder is fed 128 tiles at once, and two such batches are a shard.
    assert total <= computed.total() <= total + kills * SHARD_TILES


def test_an_encoder_that_cannot_be_loaded_ends_it(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no encoder named 'nothing'"):
        embed_distributed([], ["nothing"], [0.5], tmp_path, scheduler=cluster.client)


@pytest.mark.parametrize(
    ("scheduler", "words"),
    [
        ("local:many", "says no number of workers"),
        ("dask", "names no scheduler"),
        ("none.json", "no scheduler file"),
        ("tcp://127.0.0.1:1", "cannot be reached"),
        ("nonsense://x", "cannot be reached"),
    ],
)
def test_a_scheduler_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheduler: str, words: str
) -> None:
    monkeypatch.setattr(clusters, "CONNECT_S", 0.5)
    with quiet(), pytest.raises(ClusterError, match=words):
        embed_distributed([], ["logged"], [0.5], tmp_path, scheduler=scheduler)


def test_machines_that_do_not_fit_together(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = cluster.client.get_versions(packages=["napari-scalescope"])
    monkeypatch.setattr(cluster.client, "get_versions", lambda packages: found)
    packages = next(iter(found["workers"].values()))["packages"]
    for version, words in (("0.0.1", "worker tcp.* has napari-scalescope 0.0.1"), (None, "not in")):
        packages["napari-scalescope"] = version
        with pytest.raises(ClusterError, match=words):
            embed_distributed([], ["logged"], [0.5], tmp_path, scheduler=cluster.client)


def test_no_worker_and_a_scheduler_that_goes(
    slides: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"n_workers": 0, "dashboard_address": ":0", "processes": False}
    local = distributed.LocalCluster(**options)
    with pytest.raises(ClusterError, match="has had no worker for 0"):
        embed_distributed([], ["logged"], [0.5], tmp_path, scheduler=local, wait_s=0.2)
    local.scale(1)

    def lose(progress: Progress) -> None:
        if progress.done:
            local.close()

    with quiet(), pytest.raises(ClusterError, match="scheduler was lost"):
        embed_distributed(
            slides[1:],
            ["logged"],
            [1.0],
            tmp_path,
            scheduler=local.scheduler_address,
            progress=lose,
        )
    shards.forget()  # its worker was a thread here


def test_the_command(
    cluster: Cluster, slides: list[Path], local: dict[str, Any], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    bad = tmp_path / "bad.svs"
    bad.write_text("no slide")

    def run(*arguments: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        where = "-e", "logged", "-o", str(store), "--scheduler", cluster.local.scheduler_address
        command = ["embed", *arguments, *where, "--json", "--skip-existing"]
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        report = json.loads(result.stdout)
        assert result.exit_code == (1 if report["failed"] else 0)
        lines = [json.loads(line) for line in Path(report["log"]).read_text().splitlines()]
        Path(report["log"]).unlink()  # the next might have the same name
        return report, lines

    first, log = run(str(slides[0].parent / "*.tif"), str(bad), "-m", "1")
    assert [row["tiles"] for row in first["sets"]] == [row["tiles"] for row in local["sets"][1::2]]
    assert [list(row) for row in first["sets"]] == [list(row) for row in local["sets"][1::2]]
    assert all(row["encoded"] == row["tiles"] for row in first["sets"])
    assert all(
        0 < row["reading"] + row["encoding"] + row["writing"] < 1.01 for row in first["sets"]
    )
    assert first.keys() == local.keys()
    assert [line["event"] for line in log] == ["started", *["slide"] * 3, "finished"]
    told = {line["slide"]: line for line in log[1:-1]}
    assert [told[str(s)]["sets"] for s in slides] == [[row] for row in first["sets"]]
    assert told[str(bad)]["failed"] == first["failed"]
    count = cluster.computed.total()
    again, log = run(*map(str, slides), "-m", "1")
    assert again["skipped"] == [{"slide": str(slide)} for slide in slides]
    assert not again["sets"]
    assert [line.get("skipped") for line in log[1:-1]] == [[s] for s in again["skipped"]]
    more, _ = run(str(slides[0]), "-m", "1", "-m", "0.5")
    assert not more["skipped"]
    assert [row["encoded"] for row in more["sets"]] == [0, local["sets"][0]["tiles"]]
    assert cluster.computed.total() == count + local["sets"][0]["tiles"]


def test_a_shard_that_is_tried_again_counts_what_it_could_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what the try before had found already, in the same worker."""
    slide = memory_slide(smooth_picture(640, 640), broken=(100, 100, 5, 5))
    taken = shards.TakenInTurns(FakeEncoder())  # type: ignore[arg-type]
    monkeypatch.setattr(shards, "_open_slide", lambda _: slide)
    monkeypatch.setattr(shards, "_load", lambda _: taken)
    tiling = shards.Tiling((0.5,), tissue=False)
    job = shards.Job("run", shards.Source("x"), shards.Model("fake"), tiling, tmp_path)
    (planned,), _ = shards.plan_slide(job)
    done = [shards.encode_shard(planned.target, planned.blocks).unreadable for _ in range(2)]
    shards.forget()
    assert done[0] == done[1] > 0


def test_a_slide_of_which_nothing_can_be_read(cluster: Cluster, tmp_path: Path) -> None:
    """It is said for every resolution, as on one machine."""
    pixels = coloured_slide(600, 500).read_level(0, 0, 0, 600, 500)
    slide = tmp_path / "slide.tif"
    write_pyramid(slide, pixels, mpp=0.5, compression="deflate")
    with tifffile.TiffFile(slide) as tiff:
        pages = [page for level in tiff.series[0].levels for page in level.pages]
        spans = [s for p in pages for s in zip(p.dataoffsets, p.databytecounts, strict=True)]
    data = bytearray(slide.read_bytes())
    for at, size in spans:
        data[at : at + size] = bytes(size)
    slide.write_bytes(data)
    options: dict[str, Any] = {"encoders": ("logged",), "mpps": (0.5, 1.0), "tissue": False}
    here = embed_slides(Request((slide,), out=tmp_path / "here", **options))
    there = embed_distributed([slide], out=tmp_path / "there", scheduler=cluster.client, **options)
    assert len(here["failed"]) == 2
    assert there["failed"] == here["failed"]
    assert rows(there) == rows(here)
    assert tree(tmp_path / "there") == tree(tmp_path / "here")
