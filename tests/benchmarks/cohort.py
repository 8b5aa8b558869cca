"""Time, memory and bytes of looking for neighbours among many tiles.

    python -m tests.benchmarks.cohort [--tiles 100000 1000000] [--dim 384 1536] [--folder DIR]
        [--json FILE] [--rounds 5]

Stores of made-up slides of 10,272 tiles each, whose float16 vectors lie in clusters: a part that
all have in common (cosines of real encoders crowd near 1), 2000 kinds of tissue, 60 on a slide, a
shift of each slide, and noise, with variances that fall off from one direction to the next.

Every step is a process of its own, so that its peak memory is its own; what a process of this
kind needs before it does anything is told first (*nothing*). Files are most likely in the
system's memory when they are read: *cold* is the first search after they were put out of it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from napari_scalescope.embeddings.cohort import Cohort

from ..embeddings.many import fill_blocks, made_set

ROWS, COLS = 96, 107  # about 10 thousand tiles
KINDS = 2000


def drawer(dim: int, seed: int) -> Any:
    """A slide's vectors: (n) -> (n, D) float16."""
    common = np.random.default_rng(0)
    centre = common.normal(size=dim).astype(np.float32)
    kinds = common.normal(size=(KINDS, dim)).astype(np.float32) * 0.6
    rng = np.random.default_rng(seed + 1)
    base = centre + 0.3 * rng.normal(size=dim).astype(np.float32)
    here = rng.choice(KINDS, 60, replace=False)
    spread = np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    spread *= np.sqrt(dim / np.square(spread).sum())

    def draw(n: int) -> np.ndarray:
        noise = rng.standard_normal((n, dim), np.float32) * 0.4
        return (base + (kinds[rng.choice(here, n)] + noise) * spread).astype(np.float16)

    return draw


def size_of(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def forget(folder: Path) -> None:
    """Put a folder's files out of the system's memory."""
    os.sync()
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def do_write(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    slides = round(options.tiles / (ROWS * COLS)) or 1
    began = time.perf_counter()
    for i in range(slides):
        stored = made_set(folder / "store", f"slide{i}", rows=ROWS, cols=COLS, dim=options.dim)
        fill_blocks(stored, drawer(options.dim, i))
    return {
        "tiles": slides * ROWS * COLS,
        "slides": slides,
        "write_s": time.perf_counter() - began,
        "store_bytes": size_of(folder / "store"),
    }


def do_scan(folder: Path, _: argparse.Namespace) -> dict[str, Any]:
    times = []
    for _ in range(2):
        began = time.perf_counter()
        cohort = Cohort.scan([folder / "store"], folder / "cohort.parquet")
        times.append(time.perf_counter() - began)
    return {
        "scan_s": times[0],
        "rescan_s": times[1],
        "parquet_bytes": cohort.path.stat().st_size,
    }


def do_index(folder: Path, _: argparse.Namespace) -> dict[str, Any]:
    chosen = Cohort.open(folder / "cohort.parquet").select()
    began = time.perf_counter()
    chosen.index.add(chosen.rows)
    return {
        "index_s": time.perf_counter() - began,
        "index_bytes": size_of(folder / "cohort.index"),
        "shards": len(chosen.index.contents.shards),
    }


def do_recall(folder: Path, _: argparse.Namespace) -> dict[str, Any]:
    chosen = Cohort.open(folder / "cohort.parquet").select()
    recall, asked = chosen.measure()
    return {"recall@10": recall, "asked": asked}


def queries(chosen: Any, rounds: int) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    rows = [chosen.rows[i] for i in rng.integers(0, len(chosen.rows), rounds)]
    at = [r.grid.centres(rng.integers(0, (ROWS, COLS), (1, 2)))[0] for r in rows]
    return [chosen.vector_at(r.fingerprint, *p) for r, p in zip(rows, at, strict=True)]


def timed(folder: Path, method: str, rounds: int) -> dict[str, Any]:
    asked = queries(Cohort.open(folder / "cohort.parquet").select(), rounds + 1)
    forget(folder)
    times = []
    chosen = Cohort.open(folder / "cohort.parquet").select()
    for vector in asked:
        began = time.perf_counter()
        chosen.search(vector, 10, per_slide=3, method=method)
        times.append(time.perf_counter() - began)
    return {f"search_{method}_cold_s": times[0], f"search_{method}_s": statistics.median(times[1:])}


def do_exact(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    return timed(folder, "exact", max(2, options.rounds // 3))


def do_near(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    told = timed(folder, "index", 4 * options.rounds)
    chosen = Cohort.open(folder / "cohort.parquet").select()
    times = []
    for vector in queries(chosen, 20):
        began = time.perf_counter()
        chosen.index.nearest(vector[None], 40)
        times.append(time.perf_counter() - began)
    return {**told, "graph_only_s": statistics.median(times)}


STEPS = {
    "nothing": lambda *_: {},
    "write": do_write,
    "scan": do_scan,
    "exact": do_exact,
    "index": do_index,
    "recall": do_recall,
    "near": do_near,
}


def step(name: str, folder: Path, tiles: int, dim: int, rounds: int) -> dict[str, Any]:
    """One step in a process of its own, with its peak of memory."""
    command = [sys.executable, "-m", "tests.benchmarks.cohort", "--step", name]
    command += ["--tiles", str(tiles), "--dim", str(dim), "--rounds", str(rounds)]
    done = subprocess.run(
        [*command, "--folder", str(folder)], check=True, capture_output=True, text=True
    )
    out: dict[str, Any] = json.loads(done.stdout)
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure searches in cohorts.")
    parser.add_argument("--tiles", type=int, nargs="+", default=[100_000])
    parser.add_argument("--dim", type=int, nargs="+", default=[384, 1536])
    parser.add_argument("--folder", type=Path, help="Where to put stores; removed afterwards.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--step", choices=list(STEPS))
    options = parser.parse_args()
    if options.step:
        options.tiles, options.dim = options.tiles[0], options.dim[0]
        told = STEPS[options.step](options.folder, options)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({**told, f"{options.step}_peak": peak}))
        return 0
    results = []
    for dim in options.dim:
        for tiles in options.tiles:
            folder = Path(tempfile.mkdtemp(prefix="cohort-", dir=options.folder))
            try:
                told: dict[str, Any] = {"dim": dim}
                for name in STEPS:
                    told |= step(name, folder, tiles, dim, options.rounds)
                    print(f"{tiles:,} × {dim} {name}: {json.dumps(told)}", file=sys.stderr)
                results.append(told)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            if options.json:
                options.json.write_text(json.dumps(results, indent=1))
    for told in results:
        print(f"\n{told['tiles']:,} tiles × {told['dim']}, {told['slides']} slides")
        for key, value in told.items():
            shown = f"{value / 2**20:,.1f} MiB" if key.endswith(("bytes", "peak")) else value
            print(f"  {key:16} {shown:.4g}" if isinstance(shown, float) else f"  {key:16} {shown}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
