"""Damaged copies of slides, and what becomes of them.

    python -m tests.slides.fuzz [--cases 3000] [--seed 0] [--keep FOLDER] FILE...

Every case takes one file, damages a copy, opens it and reads from it. A child process does it, so
that a crash or a hang is a finding rather than the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_scalescope.errors import ScaleScopeError
from napari_scalescope.slides import open_slide

ROOT = Path(__file__).parents[2]
#: A case that takes longer has hung.
PATIENCE_S = 60
#: Where the headers, directories and first pieces of most files lie.
HEAD = 4096

Damage = tuple[str, int]


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Parameters
    ----------
    kind : str
        "same", "different" (from the undamaged file, and nothing said), "doubted" (read, with a
        warning), "refused" (with a `ScaleScopeError`), or what must not be: "traceback", "crash",
        "hang".
    detail : str
        The error's text.
    """

    kind: str
    detail: str = ""


def damaged(content: bytes, seed: int) -> tuple[bytes, str]:
    """A damaged copy, and what was done to it."""
    rng = random.Random(seed)
    how = rng.choice(["cut", "flip", "flip", "head", "head", "zero", "swap"])
    out = bytearray(content)
    if how == "cut":
        return bytes(out[: rng.randrange(len(out))]), how
    if how in ("flip", "head"):
        # the directory of a TIFF may lie at either end
        end = rng.random() < 0.5
        for _ in range(rng.choice([1, 1, 2, 8, 64])):
            at = rng.randrange(len(out) if how == "flip" else min(HEAD, len(out)))
            at = len(out) - 1 - at if how == "head" and end else at
            out[at] ^= 1 << rng.randrange(8)
    else:
        size = rng.choice([4, 16, 512, 4096])
        at = rng.randrange(max(1, len(out) - size))
        other = rng.randrange(max(1, len(out) - size))
        out[at : at + size] = bytes(size) if how == "zero" else content[other : other + size]
        del out[len(content) :]
    return bytes(out), how


def damaged_copy(file: Path, folder: Path, seed: int) -> tuple[Path, str]:
    """Where it lies, and what was done to it; of a zarr folder one file is damaged."""
    path = folder / file.name
    part = file
    if file.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(file, path)
        part = random.Random(seed).choice(sorted(p for p in file.rglob("*") if p.is_file()))
    content, how = damaged(part.read_bytes(), seed)
    (path / part.relative_to(file) if file.is_dir() else path).write_bytes(content)
    return path, how


def looked_at(path: Path) -> tuple[Any, ...]:
    """All of a slide that a user would see at once: its size, scale, doubts and pixels."""
    with open_slide(path) as slide:
        w, h = slide.dimensions
        views = [slide.thumbnail(200)]
        for k, level in enumerate(slide.levels[:4]):
            x, y = level.width // 3, level.height // 3
            views.append(slide.read_level(k, x, y, min(300, level.width), min(300, level.height)))
        views.append(slide.read((w / 2, h / 2, 200, 200), size=(90, 90)))
        doubts = [*slide.resolution.warnings, *slide.reader.doubts]
        return slide.dimensions, slide.mpp, views, doubts


def tried(path: Path, right: tuple[Any, ...]) -> Outcome:
    """Look at a damaged copy as at the undamaged file."""
    try:
        size, mpp, views, doubts = looked_at(path)
    except ScaleScopeError as error:
        return Outcome("refused", str(error))
    except Exception:  # noqa: BLE001 whatever it is, it is what is looked for
        return Outcome("traceback", traceback.format_exc())
    if len(doubts) > len(right[3]):
        return Outcome("doubted", str(doubts[0]))
    same = (size, mpp) == right[:2] and len(views) == len(right[2])
    same = same and all(
        a.shape == b.shape and np.abs(a.astype(int) - b).max() <= 1
        for a, b in zip(views, right[2], strict=True)
    )
    return Outcome("same" if same else "different")


def serve(files: Sequence[Path], folder: Path) -> None:
    """Answer numbers of cases on standard input with their outcomes, until it ends."""
    rights = [looked_at(file) for file in files]
    for line in sys.stdin:
        case = int(line)
        which = case % len(files)
        path, how = damaged_copy(files[which], folder, case)
        outcome = tried(path, rights[which])
        print(json.dumps([how, outcome.kind, outcome.detail]), flush=True)


class Child:
    """A process that serves cases, begun anew when it has died."""

    def __init__(self, files: Sequence[Path], folder: Path) -> None:
        self._command = [sys.executable, "-m", "tests.slides.fuzz", "--serve", str(folder)]
        self._command += [str(file.resolve()) for file in files]
        self._process: Any = None

    def ask(self, case: int) -> tuple[str, Outcome]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        hung = threading.Event()

        def give_up() -> None:
            hung.set()
            self._process.kill()

        timer = threading.Timer(PATIENCE_S, give_up)
        timer.start()
        try:
            self._process.stdin.write(f"{case}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            timer.cancel()
        if not answer:
            self.close()
            return "?", Outcome("hang" if hung.is_set() else "crash")
        how, kind, detail = json.loads(answer)
        return how, Outcome(kind, detail)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None


def run(files: Sequence[Path], cases: Iterable[int], keep: Path | None = None) -> Counter[Any]:
    """Try cases; counts of (file, damage, outcome). What must not be is printed."""
    found: Counter[Any] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        child = Child(files, folder)
        for case in cases:
            file = files[case % len(files)]
            how, outcome = child.ask(case)
            if outcome.kind in ("hang", "crash", "traceback"):
                print(f"case {case}, {file.name}, {how}: {outcome.kind}\n{outcome.detail}")
                if keep is not None and (folder / file.name).is_file():
                    shutil.copy(folder / file.name, keep / f"{case}-{file.name}")
            found[file.name, how, outcome.kind] += 1
        child.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Damage slides and look at them.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        serve(given.files, given.serve)
        return 0
    found = run(given.files, range(given.seed, given.seed + given.cases), given.keep)
    kinds = sorted({kind for _, _, kind in found})
    print(f"{'':32}" + "".join(f"{kind:>11}" for kind in kinds))
    for title, part in (("file", 0), ("damage", 1)):
        for name in sorted({key[part] for key in found}):
            counts = [
                sum(n for key, n in found.items() if key[part] == name and key[2] == kind)
                for kind in kinds
            ]
            print(f"{title} {name[:26]:26}" + "".join(f"{n:11}" for n in counts))
    return int(any(kind in ("hang", "crash", "traceback") for _, _, kind in found))


if __name__ == "__main__":
    sys.exit(main())
