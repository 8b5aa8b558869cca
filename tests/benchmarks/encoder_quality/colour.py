"""Colour and texture statistics: what can be told from a tile without any network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Range of the histograms of haematoxylin, eosin and DAB (concentrations of `rgb2hed`).
HED_RANGES = ((-0.1, 0.6), (-0.1, 0.4), (-0.1, 0.4))
PERCENTILES = (5, 25, 50, 75, 95)
#: Standard deviations (px) at which gradients are taken.
SIGMAS = (1, 2, 4, 8)
#: Radii (px) of local binary patterns with 8 neighbours.
RADII = (1, 2, 4)


def statistics(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Colour and texture statistics of one tile (h, w, 3): one vector.

    Means, deviations, percentiles and histograms of the three stains of H&E-DAB deconvolution
    (Ruifrok and Johnston 2001), means and deviations of RGB, and at several scales the strength
    of edges and the histogram of uniform local binary patterns (Ojala 2002).
    """
    from scipy import ndimage
    from skimage.color import rgb2gray, rgb2hed
    from skimage.feature import local_binary_pattern

    parts: list[npt.ArrayLike] = []
    for stain, span in zip(np.moveaxis(rgb2hed(pixels), -1, 0), HED_RANGES, strict=True):
        parts += [stain.mean(), stain.std(), np.percentile(stain, PERCENTILES)]
        parts.append(_histogram(stain, 16, span))
    flat = pixels.reshape(-1, 3) / 255
    parts += [flat.mean(0), flat.std(0)]
    grey = rgb2gray(pixels)
    for sigma in SIGMAS:
        # Edges of a larger scale are weaker by about its factor.
        edges = ndimage.gaussian_gradient_magnitude(grey, sigma) * sigma
        parts += [edges.mean() * 10, edges.std() * 10, _histogram(edges, 8, (0.0, 0.3))]
    levels = np.round(grey * 255).astype(np.uint8)
    for radius in RADII:
        patterns = local_binary_pattern(levels, 8, radius, "uniform")
        parts.append(_histogram(patterns, 10, (0, 10)))
    return np.concatenate([np.atleast_1d(p) for p in parts]).astype(np.float32)


def _histogram(
    values: npt.NDArray[np.floating], bins: int, span: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Shares of the values in each bin; what lies outside counts for the outermost bins."""
    low, high = span
    which = ((values - low) * (bins / (high - low))).astype(np.int64)
    counts = np.bincount(np.clip(which, 0, bins - 1).ravel(), minlength=bins)
    return counts / values.size
