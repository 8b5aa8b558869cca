"""Kill workers of a cluster at random instants and compare the store with one machine's.

    python -m tests.benchmarks.kill_distributed [--kills N] [--workers N] [--delay S] [--freeze]

Runs `embed_distributed` on a local cluster of worker processes. Whenever one has computed
something since it started, it is killed (SIGKILL) a random while later, N times in all; with
``--freeze`` every other one is stopped for some seconds instead, and goes on (SIGSTOP, SIGCONT).
Prints how many tiles were computed twice, and ends with status 0 only if the store is the same to
the last byte and no kill cost more than one batch.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from napari_scalescope.cli.whole_slides import Request, embed_slides
from napari_scalescope.embeddings.distributed import embed_distributed
from napari_scalescope.sample import sample_slide_path
from tests.benchmarks.kill_embed import files
from tests.embeddings import remote

#: Tiles handed at once to the encoder of `remote`: what its feed is.
BATCH = 128


def hit(cluster: object, log: Path, dice: random.Random, given: argparse.Namespace) -> list[str]:
    """Kill and freeze until it was done often enough; returns what was done, as it happens."""
    done: list[str] = []

    def run() -> None:
        while len(done) < given.kills:
            processes = [n.process for n in cluster.workers.values()]  # type: ignore[attr-defined]
            pids = [p.pid for p in processes if p is not None and p.status.name == "running"]
            pids = [pid for pid in pids if (log / f"{pid}.log").exists()]
            if not pids:
                time.sleep(0.02)
                continue
            time.sleep(dice.uniform(0, 1.0))
            pid = dice.choice(pids)
            try:
                if given.freeze and len(done) % 2:
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(dice.uniform(0.5, 3))
                    os.kill(pid, signal.SIGCONT)
                    done.append("frozen")
                else:
                    os.kill(pid, signal.SIGKILL)
                    done.append("killed")
            except ProcessLookupError:
                continue
            print(f"{len(done)}: {done[-1]} {pid}", flush=True)

    threading.Thread(target=run, daemon=True).start()
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--delay", type=float, default=0.004, help="seconds a tile takes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--freeze", action="store_true")
    given = parser.parse_args()
    import dask
    from distributed import Client, LocalCluster

    slide = sample_slide_path()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    # Two workers die as often as hundreds would, and start slowly on a busy machine.
    dask.config.set({"distributed.scheduler.allowed-failures": given.kills})
    dask.config.set({"distributed.deploy.lost-worker-timeout": "5 minutes"})
    with tempfile.TemporaryDirectory() as folder:
        whole, cut, log = (Path(folder) / name for name in ("whole", "cut", "log"))
        log.mkdir()
        one = embed_slides(Request((slide,), ("logged",), (0.5, 1.0), whole, keep=("attention",)))
        tiles = sum(row["tiles"] for row in one["sets"])
        environment = {
            "SCALESCOPE_TEST_LOG": str(log),
            "SCALESCOPE_TEST_DELAY_S": str(given.delay),
        }
        with (
            LocalCluster(
                n_workers=given.workers,
                threads_per_worker=1,
                dashboard_address=":0",
                preload=remote.__file__,
                env=environment,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            done = hit(cluster, log, random.Random(given.seed), given)
            started = time.monotonic()
            report = embed_distributed(
                [slide], ["logged"], [0.5, 1.0], cut, scheduler=client, keep=["attention"]
            )
            seconds = time.monotonic() - started
            kills = done.count("killed")
        computed = Counter(line for p in log.iterdir() for line in p.read_text().splitlines())
        twice = computed.total() - tiles
        same = files(whole) == files(cut)
        print(
            f"{seconds:.0f} s, {kills} killed, {done.count('frozen')} frozen; {tiles} tiles, "
            f"{twice} computed twice; {len(report['failed'])} slides failed; "
            f"{len(files(whole))} files: {'identical' if same else 'DIFFERENT'}"
        )
    return 0 if same and twice <= kills * BATCH and not report["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
