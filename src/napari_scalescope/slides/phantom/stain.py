"""From concentrations of dyes to the colours a scanner stores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .lattice import Floats, hashed

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Stain:
    """A haematoxylin and eosin protocol.

    Parameters
    ----------
    haematoxylin, eosin : (float, float, float)
        Optical density (base 10) of red, green and blue light for one unit of dye: unit vectors.
    h, e : float
        Strength of each dye relative to the standard protocol.
    """

    haematoxylin: Vector
    eosin: Vector
    h: float = 1.0
    e: float = 1.0

    def light(self, h: Floats | float, e: Floats | float) -> Floats:
        """Light let through (3, ...) by concentrations of haematoxylin and eosin: Beer–Lambert."""
        through = [
            np.asarray(h) * np.float32(-math.log(10) * self.h * a)
            + np.asarray(e) * np.float32(-math.log(10) * self.e * b)
            for a, b in zip(self.haematoxylin, self.eosin, strict=True)
        ]
        out = np.stack(through).astype(np.float32, copy=False)
        return np.exp(out, out=out)


def _unit(r: float, g: float, b: float) -> Vector:
    norm = math.sqrt(r * r + g * g + b * b)
    return (r / norm, g / norm, b / norm)


_MACENKO_H, _MACENKO_E = _unit(0.5626, 0.7201, 0.4062), _unit(0.2159, 0.8012, 0.5581)
_RUIFROK_H, _RUIFROK_E = _unit(0.650, 0.704, 0.286), _unit(0.072, 0.990, 0.105)


def _between(p: Vector, q: Vector, t: float) -> Vector:
    return _unit(*((1 - t) * a + t * b for a, b in zip(p, q, strict=True)))


#: Protocols by name. "standard" and "pale" have the vectors that Macenko et al. (2009, "A method
#: for normalizing histology slides for quantitative analysis") give as a reference, "blue-shift"
#: lies near those of Ruifrok and Johnston (2001, "Quantification of histochemical staining by
#: color deconvolution").
STAINS: Mapping[str, Stain] = {
    "standard": Stain(_between(_MACENKO_H, _RUIFROK_H, 0.35), _MACENKO_E),
    "pale": Stain(_MACENKO_H, _MACENKO_E, 0.68, 0.62),
    "blue-shift": Stain(
        _between(_MACENKO_H, _RUIFROK_H, 0.9), _between(_MACENKO_E, _RUIFROK_E, 0.4), 1.12, 0.86
    ),
}  # fmt: skip

#: Optical density of red cells, which hold on to eosin and show their own haemoglobin.
RED_CELLS: Vector = (0.10, 0.54, 0.47)
#: Optical density of mucus: pale blue-grey.
MUCUS: Vector = (0.17, 0.13, 0.075)
#: Optical density of a full layer of ink.
INKS: Mapping[str, Vector] = {"blue": (1.05, 0.62, 0.17), "green": (1.0, 0.30, 0.62)}


def tinted(density: Vector, amount: Floats) -> Floats:
    """Light let through (3, ...) by an amount of something of a given optical density."""
    out = np.stack([amount * np.float32(-math.log(10) * d) for d in density])
    return np.exp(out, out=out)


@dataclass(frozen=True)
class Scanner:
    """How a scanner turns light into numbers.

    Parameters
    ----------
    white : (float, float, float)
        What empty glass is stored as, 0 to 255.
    matrix : 3 × 3 floats
        Colour correction; rows sum to 1, so that white stays white.
    gamma : float
        Exponent applied to the light.
    blur : float
        Standard deviation of the optics in µm.
    noise : float
        Largest deviation of a pixel in grey levels.
    """

    white: Vector
    matrix: tuple[Vector, Vector, Vector]
    gamma: float
    blur: float
    noise: float

    def store(
        self,
        light: Floats,
        step: float,
        ix: npt.NDArray[np.int64],
        iy: npt.NDArray[np.int64],
        key: int,
        quiet: float,
    ) -> npt.NDArray[np.uint8]:
        """The pixels (h - 2, w - 2, 3) of a window of light (3, h, w) with a rim of one pixel.

        Parameters
        ----------
        light : (3, h, w) float32
            Share of the light let through.
        step : float
            µm per pixel.
        ix, iy : (w - 2,), (h - 2,) int64
            Column and row of each pixel, from which its noise is drawn.
        key : int
        quiet : float
            What averaging leaves of the noise, 0 to 1.
        """  # fmt: skip
        side = _tap(self.blur / step)
        middle = np.float32(1 - 2 * side)
        side32 = np.float32(side)
        light = light[:, 1:-1] * middle + (light[:, :-2] + light[:, 2:]) * side32
        light = light[:, :, 1:-1] * middle + (light[:, :, :-2] + light[:, :, 2:]) * side32
        bits = hashed(ix[None, :], iy[:, None], key)
        out = np.empty((*light.shape[1:], 3), np.uint8)
        for c, row in enumerate(self.matrix):
            channel = sum(light[k] * np.float32(row[k]) for k in range(3) if row[k])
            channel = np.maximum(channel, np.float32(1e-4))
            if self.gamma != 1:
                channel = np.exp(np.log(channel) * np.float32(self.gamma))
            # Two bytes summed: a triangular distribution.
            grain = (bits >> np.uint32(6 * c)) & np.uint32(0xFF)
            grain = grain + ((bits >> np.uint32(6 * c + 9)) & np.uint32(0xFF))
            scale = np.float32(self.noise * quiet / 255)
            channel = channel * np.float32(self.white[c]) + grain.astype(np.float32) * scale
            channel += np.float32(0.5 - self.noise * quiet)
            out[..., c] = np.clip(channel, 0, 255)
        return out


def _tap(sigma: float) -> float:
    """Outer weight of a three-tap kernel of that standard deviation in pixels."""
    return min(0.25, sigma * sigma / 2)


SCANNERS: Mapping[str, Scanner] = {
    "A": Scanner(
        (244.0, 243.0, 245.0),
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        1.0,
        0.22,
        3.0,
    ),
    "B": Scanner(
        (233.0, 236.0, 229.0),
        ((1.12, -0.14, 0.02), (-0.02, 1.06, -0.04), (0.04, 0.06, 0.90)),
        0.86,
        0.34,
        5.0,
    ),
}
