"""Kill `scalescope embed` at random instants and compare the store with an uninterrupted run's.

    python -m tests.benchmarks.kill_embed [SLIDE] [--kills N] [--mpp M]

A hundred kills by default: one while the store is being made, the others a random while after the
process has first written vectors, so that all of them hit work. Every finished call of the
encoder is noted in a file of its own, which tells what was computed twice. Ends with status 0 only
if both stores are the same to the last byte, and no kill cost more than one finished batch.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from napari_scalescope.sample import sample_slide_path

#: Where the processes note what they have computed.
NOTES = "SCALESCOPE_BENCHMARK_NOTES"


def start(slide: Path, out: Path, mpp: float, notes: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.kill_embed", "--child"]
    command += ["embed", str(slide), "--encoder", "untrained", "--mpp", str(mpp)]
    command += ["--out", str(out), "--keep", "attention", "--keep", "patch_tokens"]
    environment = {**os.environ, NOTES: str(notes)}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)


def child() -> None:
    """`scalescope`, with every finished call of an encoder noted."""
    from napari_scalescope.cli import main
    from napari_scalescope.encoders import Encoder

    encode = Encoder.encode
    notes = Path(os.environ[NOTES])

    def noting(self: Encoder, pixels: object, keep: object = ()) -> object:
        coded = encode(self, pixels, keep)  # type: ignore[arg-type]
        with notes.open("a", encoding="ascii") as file:
            file.write(f"{len(coded)}\n")
        return coded

    Encoder.encode = noting  # type: ignore[method-assign,assignment]
    sys.argv = ["scalescope", *sys.argv[2:]]
    main()


def computed(notes: Path) -> list[int]:
    """Tiles of each finished call."""
    return [int(line) for line in notes.read_text().split()] if notes.exists() else []


def stamp(out: Path) -> tuple[int, int]:
    """Something that changes whenever vectors are written."""
    times = []
    for pattern in ("**/*.npz", "**/*.partial", "*.zarr/*/embedding/c/**/*"):
        for path in out.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                times.append(path.stat().st_mtime_ns)
    return len(times), max(times, default=0)


def wait_for_work(out: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has written vectors, or has ended."""
    before = stamp(out)
    while process.poll() is None and stamp(out) == before:
        time.sleep(0.005)


def wait_for_set(out: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process begins to make a set."""
    while process.poll() is None and not any(out.glob("*.zarr")):
        time.sleep(0.002)


def files(root: Path) -> dict[str, bytes]:
    """What a store holds, without its locks and the logs of its runs."""
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.is_file() and not {".locks", ".runs"} & {*p.parts}
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slide", nargs="?", type=Path, default=sample_slide_path())
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--mpp", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    dice = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, cut = Path(folder) / "whole", Path(folder) / "cut"
        once, notes = Path(folder) / "once", Path(folder) / "notes"
        started = time.monotonic()
        process = start(given.slide, whole, given.mpp, once)
        wait_for_work(whole, process)
        startup = time.monotonic() - started
        process.wait()
        work = time.monotonic() - started - startup
        batch, tiles = max(computed(once)), sum(computed(once))
        print(f"uninterrupted: {startup:.1f} s to the store, {work:.1f} s for {tiles} tiles")
        killed = 0
        for number in range(given.kills):
            process = start(given.slide, cut, given.mpp, notes)
            if number == 0:
                wait_for_set(cut, process)
                time.sleep(dice.uniform(0, 0.05))
            else:
                wait_for_work(cut, process)
                time.sleep(dice.uniform(0, 2 * work / given.kills))
            process.kill()
            killed += process.wait() != 0
            journal = len(list(cut.rglob("*.npz")))
            print(
                f"kill {number + 1}: {sum(computed(notes))} tiles computed so far, {journal} "
                "batches in the journal",
                flush=True,
            )
        start(given.slide, cut, given.mpp, notes).wait()
        same = files(whole) == files(cut)
        twice = sum(computed(notes)) - tiles
        print(f"{len(files(whole))} files: {'identical' if same else 'DIFFERENT'}")
        print(
            f"{killed} killed at work; {twice} of {tiles} tiles computed twice, "
            f"{twice / max(killed, 1):.1f} a kill (a batch: {batch})"
        )
    return 0 if same and twice <= killed * batch else 1


if __name__ == "__main__":
    if "--child" in sys.argv[1:2]:
        child()
    else:
        raise SystemExit(main())
