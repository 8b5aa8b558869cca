"""Tiles a second of `Encoder.encode` beside the bare network's forward pass.

    python -m tests.benchmarks.encoding [--size S B L] [--batch 8 32] [--device cpu] [--rounds 5]
        [--json FILE]

Vision transformers of the field's sizes (S, B and L with patches of 16 px; B/14, H and g with 14)
with random weights, on tiles of 224 px of the sample slide. *bare* is the network on a tensor that
is ready on its device, in the same precision; *encode* is the whole way from uint8 tiles to vectors
in numpy; *attention* keeps the maps of a block in the middle, *rollout* those rolled out through
all blocks, *all* keeps the usual attention and patch tokens; *found* is what the encoder does when
it finds the size of its batches by itself; *float32* is the bare network as it
is built, in eager mode. All take turns, `--rounds` times; figures are medians of ratios of one
round, so that whatever else the machine does hits all alike. *cosine* is the smallest of the
vectors with float32's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_scalescope.encoders import Encoder, find_entry
from napari_scalescope.encoders.devices import dtype_of, pick_device, pick_precision
from napari_scalescope.encoders.network import untrained
from napari_scalescope.sample import sample_slide_path
from napari_scalescope.slides import open_slide

#: An entry of the catalogue for each size.
ENTRIES = {
    "S": "kaiko-vits16",
    "B": "kaiko-vitb16",
    "B/14": "xmag",
    "L": "phikon-v2",
    "H": "virchow2",
    "g": "h-optimus-0",
}


def tiles(n: int) -> np.ndarray:
    """Tiles (n, 224, 224, 3) of tissue."""
    with open_slide(sample_slide_path()) as slide:
        spots = [(2000 + 230 * (i % 8), 2000 + 230 * (i // 8)) for i in range(n)]
        return np.stack([slide.read((x, y, 224, 224), size=(224, 224)) for x, y in spots])


def encoder_of(size: str, device: str, precision: Any) -> Encoder:
    entry = find_entry(ENTRIES[size])
    network, digest = untrained(entry, 0)
    network = network.to(device=device, dtype=dtype_of(precision)).eval()
    return Encoder(entry, network, device, precision, digest)


def seconds(work: Callable[[], Any], device: str) -> float:
    began = time.perf_counter()
    work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - began


def measure(size: str, batch: int, device: str, rounds: int) -> dict[str, Any]:
    precision = pick_precision("auto", device)
    encoder, reference = (encoder_of(size, device, p) for p in (precision, "fp32"))
    pixels = tiles(max(64, batch) if device.startswith("cuda") else batch)
    encoder.batch = reference.batch = batch
    trunk, plain = encoder._network["trunk"], reference._network["trunk"]
    # The same numbers in both: scaled and turned as the network wants them.
    scaled = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    ready, exact = scaled.to(next(trunk.parameters()).dtype).contiguous(), scaled.contiguous()

    def bare(network: Any, x: torch.Tensor) -> None:
        with torch.inference_mode():
            for i in range(0, len(x), batch):
                network.forward_features(x[i : i + batch])

    middle, rolled = encoder.looking(-(encoder.depth // 2)), encoder.looking("rollout")
    searching = encoder_of(size, device, precision)
    many = np.concatenate([pixels] * -(-64 // len(pixels)))
    while not searching._batch.settled:
        searching.encode(many, keep=())

    ways: dict[str, Callable[[], Any]] = {
        "bare": lambda: bare(trunk, ready),
        "encode": lambda: encoder.encode(pixels, keep=()),
        "attention": lambda: middle.encode(pixels, keep=("attention",)),
        "rollout": lambda: rolled.encode(pixels, keep=("attention",)),
        "all": lambda: encoder.encode(pixels),
        "found": lambda: searching.encode(pixels, keep=()),
        "float32": lambda: bare(plain, exact),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for work in ways.values():
        work()
    for _ in range(rounds):
        for name, work in ways.items():
            taken[name].append(seconds(work, device))
    a, b = encoder.encode(pixels, keep=()).embedding, reference.encode(pixels, keep=()).embedding
    cosine = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))

    def ratio(of: str, to: str) -> float:
        return statistics.median(t / o for o, t in zip(taken[of], taken[to], strict=True))

    return {
        "precision": precision,
        "tiles/s": {name: len(pixels) / statistics.median(t) for name, t in taken.items()},
        "encode of bare": ratio("encode", "bare"),
        "attention of encode": ratio("attention", "encode"),
        "rollout of encode": ratio("rollout", "encode"),
        "all of bare": ratio("all", "bare"),
        "found of bare": ratio("found", "bare"),
        "batch found": searching.batch,
        "encode of float32": ratio("encode", "float32"),
        "cosine": float(cosine.min()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how fast tiles are encoded.")
    parser.add_argument("--size", nargs="+", default=["S", "B", "L"], choices=list(ENTRIES))
    parser.add_argument("--batch", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    device = pick_device(given.device)
    print(f"{device}, {torch.get_num_threads()} threads")
    names = ("encode of bare", "attention of encode", "rollout of encode", "all of bare",
             "found of bare", "encode of float32")  # fmt: skip
    print("size batch |  bare  encode tiles/s | " + " | ".join(names) + " | cosine | batch found")
    found = {}
    for size in given.size:
        for batch in given.batch:
            f = found[f"{size} {batch}"] = measure(size, batch, device, given.rounds)
            rates = "".join(f"{f['tiles/s'][n]:8.2f}" for n in ("bare", "encode"))
            ratios = "".join(f"{f[n]:8.3f}" for n in names)
            print(
                f"{size:4} {batch:4} {rates} {ratios} {f['cosine']:.5f} {f['batch found']} "
                f"{f['precision']}",
                flush=True,
            )
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
