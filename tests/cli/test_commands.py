"""The command line: what it prints, where, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_scalescope.cli import app, commands, offscreen, whole_slides
from napari_scalescope.errors import ScaleScopeError

from ..embeddings.fake import FakeEncoder
from ..slides.conftest import smooth_picture, write_pyramid
from ..slides.memory import coloured_slide
from ..slides.test_icc import SWAPPED


@pytest.fixture
def run() -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        return CliRunner().invoke(app, [str(a) for a in arguments])

    return call


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    path = tmp_path / "slide.tif"
    pixels = coloured_slide(1300, 1000).read_level(0, 0, 0, 1300, 1000)
    write_pyramid(path, pixels, mpp=0.5, compression="deflate")
    return path


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> FakeEncoder:
    made = FakeEncoder()
    monkeypatch.setattr(whole_slides, "load_encoder", lambda *_, **__: made)
    return made


def only_json(result: Any) -> Any:
    """Standard output is one JSON object and nothing else."""
    return json.loads(result.stdout)


def test_info(run: Callable[..., Any], slide: Path) -> None:
    result = run("info", slide)
    assert result.exit_code == 0
    assert "1300 × 1000 px" in result.stdout
    assert "0.5 µm/px (TIFF XResolution)" in result.stdout
    facts = only_json(run("info", slide, "--json"))
    assert facts["mpp"] == pytest.approx(0.5)
    assert len(facts["levels"]) == 3
    assert only_json(run("info", slide, "--json", "--slide-mpp", 0.3))["mpp"] == 0.3


@pytest.mark.parametrize("mpp", ["inf", "nan", "0", "-1"])
def test_a_resolution_that_is_none(run: Callable[..., Any], slide: Path, mpp: str) -> None:
    result = run("info", slide, "--slide-mpp", mpp)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code > 0
    assert "positive number" in result.stderr or "--slide-mpp" in result.stderr


def test_info_of_what_is_no_slide(run: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    path.write_text("hello")
    result = run("info", path)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "text file" in result.stderr
    assert "Traceback" not in result.stderr
    result = run("info", path, "--json")
    assert result.exit_code == 1
    assert set(only_json(result)) == {"error", "remedy"}


def test_embed(run: Callable[..., Any], slide: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    arguments = [
        "embed",
        slide,
        "--encoder",
        "x",
        "--mpp",
        0.5,
        "--mpp",
        1,
        "--out",
        tmp_path / "o",
    ]
    result = run(*arguments, "--keep", "attention")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("new") == 2
    report = only_json(run(*arguments, "--json"))
    assert [s["mpp"] for s in report["sets"]] == [0.5, 1.0]
    assert all(s["encoded"] == 0 and s["tiles"] > 0 for s in report["sets"])
    assert all(Path(s["path"]).is_dir() for s in report["sets"])


def test_one_bad_slide_is_reported_and_the_rest_goes_on(
    run: Callable[..., Any], slide: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    bad, blank = tmp_path / "bad.svs", tmp_path / "no_mpp.tif"
    bad.touch()
    write_pyramid(blank, smooth_picture(300, 300), mpp=None)
    result = run("embed", bad, slide, blank, "-e", "x", "-m", 0.5, "-o", tmp_path / "o", "--json")
    assert result.exit_code == 1
    report = only_json(result)
    assert [s["slide"] for s in report["sets"]] == ["slide.tif"]
    assert [Path(f["slide"]).name for f in report["failed"]] == ["bad.svs", "no_mpp.tif"]
    assert "--slide-mpp" in report["failed"][1]["remedy"]


def damage(path: Path, pieces: slice) -> None:
    """Overwrite some of the pieces a slide's finest level is stored in."""
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        places = list(zip(page.dataoffsets, page.databytecounts, strict=True))[pieces]
    content = bytearray(path.read_bytes())
    for offset, count in places:
        content[offset : offset + count] = bytes(count)
    path.write_bytes(content)


def test_what_cannot_be_decoded_is_counted_and_printed(
    run: Callable[..., Any], slide: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    damage(slide, slice(40, 42))
    arguments = ["embed", slide, "-e", "x", "-m", 0.5, "-o", tmp_path / "o"]
    result = run(*arguments)
    assert result.exit_code == 0
    assert " unreadable" in result.stdout
    (row,) = only_json(run(*arguments, "--json"))["sets"]
    assert row["encoded"] == 0
    assert row["unreadable"] > 0
    assert row["reused"] == row["tiles"] - row["unreadable"] == encoder.encoded


def test_a_slide_that_is_damaged_at_every_scale_is_told(
    run: Callable[..., Any], tmp_path: Path, encoder: FakeEncoder
) -> None:
    path = tmp_path / "flat.tif"
    pixels = coloured_slide(1300, 1000).read_level(0, 0, 0, 1300, 1000)
    write_pyramid(path, pixels, levels=1, compression="deflate")
    damage(path, slice(40, 42))
    arguments = ["embed", path, "-e", "x", "-m", 0.5, "-o", tmp_path / "o"]
    result = run(*arguments)
    assert result.exit_code == 0
    assert "taken for glass" in result.stderr
    report = only_json(run(*arguments, "--json"))
    assert "taken for glass" in report["warnings"][0]["warning"]


def test_a_slide_of_which_no_tile_can_be_decoded_is_a_failure(
    run: Callable[..., Any], slide: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    damage(slide, slice(None))  # the tissue is found at a coarser level, which is sound
    result = run("embed", slide, "-e", "x", "-m", 0.5, "-m", 1, "-o", tmp_path / "o", "--json")
    assert result.exit_code == 1
    report = only_json(result)
    fine, coarse = report["sets"]
    assert fine["encoded"] == 0 == coarse["unreadable"]
    assert [f["error"].count("none of its") for f in report["failed"]] == [1]


def test_embed_refuses_nonsense(run: Callable[..., Any], slide: Path, tmp_path: Path) -> None:
    base = ["embed", slide, "-o", tmp_path]
    assert run(*base, "-e", "x").exit_code == 2
    assert run(*base, "-e", "x", "-m", "blue").exit_code == 2
    assert run(*base, "-e", "x", "-m", 0.5, "--keep", "pixels").exit_code == 2
    assert run(*base, "-e", "x", "-m", 0.5, "--precision", "int3").exit_code == 2
    result = run(*base, "-e", "nobody", "-m", 0.5)
    assert result.exit_code == 1
    assert "no encoder named" in result.stderr


def test_encoders(run: Callable[..., Any]) -> None:
    result = run("encoders")
    assert result.exit_code == 0
    assert "uni2-h" in result.stdout
    rows = {r["id"]: r for r in only_json(run("encoders", "--json"))["encoders"]}
    assert rows["untrained"]["state"] == rows["builtin"]["state"] == "built in"
    assert rows["uni2-h"]["dim"] == 1536
    assert rows["retccl"]["shows"] == "feature norm"
    assert "dax" in {r["id"] for r in only_json(run("encoders", "--json"))["not_released"]}
    assert "not released" in result.stdout.lower()


def test_the_docs_list_the_encoders_of_the_catalogue(run: Callable[..., Any]) -> None:
    page = Path(__file__).parents[2] / "docs" / "encoders.md"
    made = run("encoders", "--markdown").stdout
    assert page.read_text(encoding="utf-8") == made, "`scalescope encoders --markdown` makes it"


@pytest.fixture
def got(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Encoders that were downloaded, by a hub that has them all."""
    from napari_scalescope.cli import downloading

    ids: list[str] = []

    def download(entry: Any, report: Any = None) -> Path:
        ids.append(entry.id)
        if report is not None:
            report(3, 0)
            report(7, 7)
        path = tmp_path / "model.safetensors"
        path.write_bytes(b"weights")
        return path

    monkeypatch.setattr(downloading, "download", download)
    return ids


def test_download_asks_for_the_licence_first(run: Callable[..., Any], got: list[str]) -> None:
    asked = CliRunner().invoke(app, ["download", "uni2-h"], input="n\n")
    assert asked.exit_code == 1
    assert "CC-BY-NC-ND-4.0. It is not for commercial use" in asked.stderr
    refused = run("download", "uni2-h", "--json")
    assert refused.exit_code == 1
    assert "--accept-licence" in only_json(refused)["remedy"]
    assert got == []
    assert CliRunner().invoke(app, ["download", "uni2-h"], input="y\n").exit_code == 0
    assert run("download", "uni2-h").exit_code == 0  # once is enough
    assert run("download", "uni", "--accept-licence").exit_code == 0
    assert got == ["uni2-h", "uni2-h", "uni"]


def test_licence(run: Callable[..., Any]) -> None:
    assert only_json(run("licence", "uni", "--json"))["accepted"] is False
    said = run("licence", "uni").stdout
    assert "CC-BY-NC-ND-4.0. It is not for commercial use." in said
    assert "--accept" in said
    assert "Accepted." in run("licence", "uni", "--accept").stdout
    assert only_json(run("licence", "uni", "--json"))["accepted"] is True
    assert "asks nothing" in run("licence", "quiltnet-b-16").stdout
    assert run("licence", "nonsense").exit_code == 1


def test_what_each_encoder_lacks_is_told(run: Callable[..., Any]) -> None:
    rows = {r["id"]: r for r in only_json(run("encoders", "--json"))["encoders"]}
    assert rows["builtin"]["lacks"] == ""
    assert rows["quiltnet-b-16"]["lacks"] == "its weights (`scalescope download quiltnet-b-16`)"
    assert "its licence accepted (CC-BY-NC-ND-4.0)" in rows["uni"]["lacks"]
    checks = {c["name"]: c for c in only_json(run("doctor", "--json"))["checks"]}
    assert checks["Encoders that run here"]["found"].startswith("builtin, untrained")
    assert "lacks its licence" in checks["Encoder uni"]["found"]
    assert "a checkpoint" in checks["Encoder dax"]["found"]


def test_download_says_where_the_weights_are(run: Callable[..., Any], got: list[str]) -> None:
    answer = only_json(run("download", "quiltnet-b-16", "--json"))
    assert Path(answer["path"]).read_bytes() == b"weights"
    assert len(answer["sha256"]) == 64
    assert "sha256" in run("download", "quiltnet-b-16").stdout
    assert run("download", "dax").exit_code == 1


def test_doctor(run: Callable[..., Any]) -> None:
    result = run("doctor", "--json")
    report = only_json(result)
    assert result.exit_code == (0 if report["ok"] else 1)
    checks = {c["name"]: c for c in report["checks"]}
    assert checks["Python"]["ok"]
    assert checks["torch"]["ok"]
    assert "napari-scalescope" in run("doctor").stdout


def test_doctor_says_what_is_wrong(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_scalescope.cli import doctor

    def missing() -> Path:
        raise ScaleScopeError("The sample phantom.tif is not installed.")

    monkeypatch.setattr("napari_scalescope.sample.sample_slide_path", missing)
    sample = doctor._sample()
    assert not sample.ok
    assert sample.remedy


def test_demo_without_a_display_runs_on_a_virtual_one(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, slide: Path
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(offscreen, "has_display", lambda: False)
    monkeypatch.setattr(offscreen, "run_offscreen", lambda a: called.append(a) or 3)
    result = run("demo", slide, "--slide-mpp", 0.5)
    assert result.exit_code == 3
    assert called == [["demo", str(slide), "--screenshots", "demo_out", "--slide-mpp", "0.5"]]


def test_no_display_and_no_virtual_one(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offscreen, "has_display", lambda: False)
    monkeypatch.setattr(offscreen.shutil, "which", lambda _: None)
    result = run("demo")
    assert result.exit_code == 1
    assert "apt-get install" in result.stderr


def test_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offscreen.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not offscreen.has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert offscreen.has_display()
    monkeypatch.setattr(offscreen.sys, "platform", "darwin")
    monkeypatch.delenv("DISPLAY")
    assert offscreen.has_display()


def test_help_of_every_verb(run: Callable[..., Any]) -> None:
    for verb in ("demo", "info", "embed", "encoders", "download", "doctor"):
        result = run(verb, "--help")
        assert result.exit_code == 0
    assert commands.app.info.name == "scalescope"


def test_fluorescence_is_described_and_not_embedded(
    run: Callable[..., Any], tmp_path: Path, encoder: FakeEncoder
) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, np.zeros((3, 64, 64), np.uint16), photometric="minisblack", ome=True,
        metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "CD3", "CD8"]}},
    )  # fmt: skip
    result = run("info", path)
    assert "fluorescence: DAPI, CD3, CD8" in result.stdout
    facts = only_json(run("info", path, "--json"))
    assert (facts["fluorescence"], facts["channels"]) == (True, ["DAPI", "CD3", "CD8"])
    result = run("embed", path, "-e", "x", "-m", 0.5, "-o", tmp_path / "o", "--json", "--all-tiles")
    assert result.exit_code == 1
    (failure,) = only_json(result)["failed"]
    assert "DAPI, CD3, CD8" in failure["error"]
    assert "brightfield H&E" in failure["error"]
    assert not list((tmp_path / "o").glob("*.zarr"))


def test_colours_are_corrected_where_that_is_asked_for(
    run: Callable[..., Any], slide: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    arguments = ["-e", "x", "-m", 0.5, "-o", tmp_path / "o"]
    result = run("embed", slide, *arguments, "--icc")
    assert result.exit_code == 1
    assert "embeds no ICC profile" in result.stderr
    assert only_json(run("info", slide, "--json"))["icc_profile"] is None
    profiled = tmp_path / "profiled.tif"
    pixels = coloured_slide(600, 500).read_level(0, 0, 0, 600, 500)
    write_pyramid(profiled, pixels, compression="deflate", iccprofile=SWAPPED)
    assert "ICC profile: Test scanner" in run("info", profiled).stdout
    paths = {
        only_json(run("embed", profiled, *arguments, *extra, "--json"))["sets"][0]["path"]
        for extra in ([], ["--icc"])
    }
    assert len(paths) == 2


def test_folders_and_patterns_stand_for_slides(slide: Path, tmp_path: Path) -> None:
    from napari_scalescope.cli.whole_slides import expanded

    folder = tmp_path / "many"
    (folder / "deeper").mkdir(parents=True)
    for name in ("b.svs", "a.tif", "deeper/c.tif", "thumb.png", "notes.txt", ".hidden.svs"):
        (folder / name).write_bytes(slide.read_bytes() if name != "notes.txt" else b"notes")
    (folder / "thumb.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    def names(*given: object) -> list[str]:
        return [Path(p).name for p in expanded([str(g) for g in given])]

    assert names(folder) == ["a.tif", "b.svs"]
    assert names(folder / "*.tif", folder / "a.tif") == ["a.tif"]
    assert names(folder / "**" / "*.tif") == ["a.tif", "c.tif"]
    assert names(folder / "none.svs") == ["none.svs"]
    assert names(folder / "*.xyz") == ["*.xyz"]
    assert list(expanded(["https://somewhere/a.zarr"])) == ["https://somewhere/a.zarr"]


def test_several_encoders_read_a_slide_once(
    run: Callable[..., Any], slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collections import Counter

    from napari_scalescope.slides.chunks import ChunkCache

    decoded: Counter[object] = Counter()
    get = ChunkCache.get

    def counting(self: ChunkCache, key: Any, decode: Any) -> Any:
        def count() -> Any:
            decoded[key] += 1
            return decode()

        return get(self, key, count)

    monkeypatch.setattr(ChunkCache, "get", counting)
    made = iter([FakeEncoder(), FakeEncoder()])

    def load(name: str, **_: Any) -> FakeEncoder:
        encoder = next(made)
        encoder.weights_sha256 = name * 64
        return encoder

    monkeypatch.setattr(whole_slides, "load_encoder", load)
    result = run(
        "embed", slide, "-e", "a", "-e", "b", "-m", 0.5, "-o", tmp_path / "o", "--json",
        "--all-tiles",
    )  # fmt: skip
    rows = only_json(result)["sets"]
    assert [row["tiles"] for row in rows] == [rows[0]["tiles"]] * 2
    assert rows[0]["path"] != rows[1]["path"]
    assert set(decoded.values()) == {1}


def test_complete_slides_are_passed_over_and_the_log_tells_all(
    run: Callable[..., Any], slide: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    arguments = ["embed", slide, tmp_path / "none.svs", "-e", "x", "-m", 0.5, "-o", tmp_path / "o"]
    first = run(*arguments, "--json", "--skip-existing")
    assert first.exit_code == 1
    report = only_json(first)
    assert (len(report["sets"]), len(report["failed"]), report["skipped"]) == (1, 1, [])
    lines = [json.loads(line) for line in Path(report["log"]).read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "slide", "slide", "finished"]
    assert lines[1]["sets"] == report["sets"]
    assert lines[2]["failed"] == report["failed"]
    assert lines[0]["request"]["mpps"] == [0.5]
    count = encoder.encoded
    again = only_json(run(*arguments, "--json", "--skip-existing"))
    assert again["skipped"] == [{"slide": str(slide)}]
    assert encoder.encoded == count
    more = run(*arguments, "--skip-existing", "--keep", "attention")
    assert encoder.encoded > count  # what was not kept before is missing
    assert "none.svs" in more.stderr
