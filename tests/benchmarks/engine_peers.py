"""LazySlide and TIAToolbox on a whole slide. Run by `engine.py` in a Python that has them.

    PYTHON engine_peers.py lazyslide|tiatoolbox vits|null SLIDE MPP

The same network as ScaleScope's side (timm's ViT-S/16 with random weights) in the same precision,
or a null network; all tiles of the slide, 224 px, without overlap; two worker processes, which is
the faster way for both; nothing is written. Prints one JSON object: tiles a second.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

TILE_PX = 224


class Null(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), 384)


class Half(torch.nn.Module):
    """ViT-S in bfloat16, whatever precision tiles come in."""

    def __init__(self) -> None:
        super().__init__()
        import timm

        self.net = timm.create_model("vit_small_patch16_224", num_classes=0).to(torch.bfloat16)

    @torch.inference_mode()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x.to(torch.bfloat16)).float()


def lazyslide(network: torch.nn.Module, path: str, mpp: float) -> tuple[int, float]:
    import lazyslide as zs
    from wsidata import open_wsi

    wsi = open_wsi(path)
    zs.pp.tile_tissues(wsi, TILE_PX, mpp=mpp, tissue_key=None)

    def transform(tile: Any) -> torch.Tensor:
        return torch.from_numpy(np.array(tile)).permute(2, 0, 1).float() / 127.5 - 1

    began = time.perf_counter()
    found = zs.tl.feature_extraction(
        wsi, network, model_name="net", transform=transform, batch_size=8, num_workers=2,
        pbar=False, device="cpu", amp=False, return_features=True,
    )  # fmt: skip
    return len(found), time.perf_counter() - began


def tiatoolbox(network: torch.nn.Module, path: str, mpp: float) -> tuple[int, float]:
    from tiatoolbox.models.engine.deep_feature_extractor import DeepFeatureExtractor
    from tiatoolbox.models.models_abc import ModelABC

    class Wrapped(ModelABC):
        def __init__(self) -> None:
            super().__init__()
            self.net = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x)

        @staticmethod
        def infer_batch(model: Any, batch: Any, *_: Any, **__: Any) -> Any:
            x = batch.permute(0, 3, 1, 2).float() / 127.5 - 1
            return [model(x).numpy()]

    extractor = DeepFeatureExtractor(
        model=Wrapped(), batch_size=8, num_workers=2, device="cpu", verbose=False
    )
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        out = extractor.run(
            images=[Path(path)], patch_mode=False, auto_get_mask=False, output_type="zarr",
            save_dir=Path(folder) / "o", patch_input_shape=(TILE_PX, TILE_PX),
            stride_shape=(TILE_PX, TILE_PX),
            input_resolutions=[{"units": "mpp", "resolution": mpp}],
        )  # fmt: skip
        seconds = time.perf_counter() - began
        import zarr

        where = next(iter(out.values())) if isinstance(out, dict) else out
        group = zarr.open(str(where), mode="r")
        count = next(iter(group.arrays()))[1].shape[0]
    return count, seconds


def main() -> None:
    warnings.simplefilter("ignore")
    peer, which, path, mpp = sys.argv[1:]
    network = Null() if which == "null" else Half().eval()
    tiles, seconds = globals()[peer](network, path, float(mpp))
    print(json.dumps({"tiles/s": tiles / seconds, "tiles": tiles}))


if __name__ == "__main__":
    main()
