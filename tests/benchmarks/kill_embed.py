"""Kill `scalescope embed` at random instants and compare the store with an uninterrupted run's.

    python -m tests.benchmarks.kill_embed [SLIDE] [--kills N] [--mpp M]

Ten kills by default: one while the store is being made, the others a random while after the
process has first changed it, so that all of them hit work. Prints what each kill found, and ends
with status 0 only if both stores are the same to the last byte.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from napari_scalescope.sample import sample_slide_path


def start(slide: Path, out: Path, mpp: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-W", "ignore", "-m", "napari_scalescope", "embed", str(slide)]
    command += ["--encoder", "untrained", "--mpp", str(mpp), "--out", str(out)]
    command += ["--keep", "attention", "--keep", "patch_tokens"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def stamp(out: Path) -> tuple[int, int]:
    """Something that changes whenever the store does."""
    times = [p.stat().st_mtime_ns for p in out.rglob("*") if p.exists()]
    return len(times), max(times, default=0)


def wait_for_change(out: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has touched the store, or has ended."""
    before = stamp(out)
    while process.poll() is None and stamp(out) == before:
        time.sleep(0.005)


def files(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.is_file() and ".locks" not in p.parts
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slide", nargs="?", type=Path, default=sample_slide_path())
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--mpp", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    dice = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, cut = Path(folder) / "whole", Path(folder) / "cut"
        started = time.monotonic()
        process = start(given.slide, whole, given.mpp)
        wait_for_change(whole, process)
        startup = time.monotonic() - started
        process.wait()
        work = time.monotonic() - started - startup
        print(f"uninterrupted: {startup:.1f} s to the store, {work:.1f} s of work")
        for number in range(given.kills):
            process = start(given.slide, cut, given.mpp)
            wait_for_change(cut, process)
            time.sleep(dice.uniform(0, 0.2 if number == 0 else work / given.kills))
            process.kill()
            code = process.wait()
            journal = len(list(cut.rglob("*.npz")))
            partial = len(list(cut.rglob("*.partial")))
            merged = len(list(cut.glob("*.zarr/*/embedding/c/*/*/*")))
            print(
                f"kill {number + 1}: {'done before' if code == 0 else 'killed'}, {merged} blocks "
                f"merged, {journal} batches in the journal, {partial} files half written"
            )
        start(given.slide, cut, given.mpp).wait()
        same = files(whole) == files(cut)
        print(f"{len(files(whole))} files: {'identical' if same else 'DIFFERENT'}")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
