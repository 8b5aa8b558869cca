"""Seven small nets for pathology as encoders of one's own: a Python function over tiles.

    features = Janowczyk("1-nuclei.safetensors")
    embeddings, patch_tokens = features(pixels)  # (n, px, px, 3) uint8

Janowczyk & Madabhushi 2016 (J Pathol Inform 7:29, doi:10.4103/2153-3539.186902) trained one net of
Caffe's "CIFAR10 quick" kind per task, on 32 px. Their weights have no licence: get them from their
makers (choosehappy/public on GitHub) and keep them, and pictures made with them, to yourself. A
file here holds ``mean`` (3, h, w) and ``weight`` and ``bias`` of conv1, conv2, conv3, ip1 and ip2.

What differs from what one would write today, all of it in the makers' deploy file and scripts:
channels are blue, green, red; pixels run from 0 to 255, less the mean of the training set; pooling
rounds its size up; ReLU stands behind the first pooling but before the others; and there is none
between the last two layers.

Resolution (µm per pixel) at which each was trained, from the magnifications its makers give and
the resizing in their scripts: nuclei 0.25, epithelium 1, tubule 1, lymphocyte 0.0625, mitosis 0.5,
lymphoma 0.25.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

#: Pixels between places the net looks at when it slides over a tile: three poolings by 2.
STEP = 8
#: Side of what it sees at each.
FIELD = 32


class Janowczyk:
    """One of the nets, asked every 8 px of a tile.

    Parameters
    ----------
    path : path
        Of a ``.safetensors`` file.
    dense : bool
        Slide the net over the tile as a whole, rather than ask it patch by patch as it was
        trained: ten times as fast, and something else. The net then sees what is around a patch
        where it knew zeros, and one colour stands for the mean patch. Nuclei and epithelium are
        found either way, less sharply; the lymphocyte net, whose mean patch shows a cell, is lost.
    """

    def __init__(self, path: str | Path, *, dense: bool = False) -> None:
        from safetensors.torch import load_file

        self._t = load_file(path)
        mean = self._t["mean"]
        edge = (mean.shape[-1] - FIELD) // 2  # the lymphoma net's patches lost an edge of 2 px
        self._mean = mean[:, edge : edge + FIELD, edge : edge + FIELD]
        self._dense = dense

    def __call__(
        self, pixels: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Embeddings (n, 64) and patch tokens (n, g, g, 64) of tiles, g = px / 8.

        Parameters
        ----------
        pixels : (n, px, px, 3) uint8
            Red, green, blue. px is a multiple of 8, from 16.
        """
        tokens = self._tokens(pixels)
        return tokens.mean((2, 3)).numpy(), tokens.permute(0, 2, 3, 1).numpy()

    def probabilities(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Probability (n, g, g, classes) of each class at each place.

        The first is "something else" and the second what the net is called after, but for the
        lymphoma net, which has CLL, FL and MCL.
        """
        weight = self._t["ip2.weight"][..., None, None]
        scores = functional.conv2d(self._tokens(pixels), weight, self._t["ip2.bias"])
        found: npt.NDArray[np.float32] = scores.softmax(1).permute(0, 2, 3, 1).numpy()
        return found

    @torch.inference_mode()
    def _tokens(self, pixels: npt.NDArray[np.uint8]) -> Tensor:
        """Answers of the last layer but one, for fields around the middle of every 8 px."""
        if pixels.shape[1] % STEP or pixels.shape[2] % STEP:
            raise ValueError(f"tiles of {pixels.shape[1:3]} px: a multiple of {STEP} is needed")
        blue_first = np.ascontiguousarray(pixels[..., ::-1].transpose(0, 3, 1, 2))
        x = torch.from_numpy(blue_first).float()
        x = functional.pad(x, [(FIELD - STEP) // 2] * 4, "reflect")
        if self._dense:
            return self._net(x - self._mean.mean((1, 2))[:, None, None])
        tiles = []
        for tile in x:
            patches = tile.unfold(1, FIELD, STEP).unfold(2, FIELD, STEP).permute(1, 2, 0, 3, 4)
            answers = self._net(patches.flatten(0, 1) - self._mean)
            tiles.append(answers.reshape(*patches.shape[:2], -1).permute(2, 0, 1))
        return torch.stack(tiles)

    def _net(self, x: Tensor) -> Tensor:
        """From pixels (n, 3, h, w) less their mean to (n, 64, h / 8 - 3, w / 8 - 3)."""
        x = functional.relu(_pool(functional.max_pool2d, self._conv("conv1", x)))
        x = _pool(functional.avg_pool2d, functional.relu(self._conv("conv2", x)))
        x = _pool(functional.avg_pool2d, functional.relu(self._conv("conv3", x)))
        weight = self._t["ip1.weight"]
        side = FIELD // STEP
        return functional.conv2d(
            x, weight.reshape(len(weight), -1, side, side), self._t["ip1.bias"]
        )

    def _conv(self, name: str, x: Tensor) -> Tensor:
        return functional.conv2d(x, self._t[f"{name}.weight"], self._t[f"{name}.bias"], padding=2)


def _pool(kind: Callable[..., Tensor], x: Tensor) -> Tensor:
    """Caffe's pooling: a window that hangs over the edge counts, with what it holds."""
    return kind(x, 3, 2, ceil_mode=True)
