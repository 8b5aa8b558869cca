"""Pixels at another scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def resample(
    pixels: npt.NDArray[np.uint8],
    box: tuple[float, float, float, float],
    size: tuple[int, int],
) -> npt.NDArray[np.uint8]:
    """A part of an image at another size.

    The kernel is Keys' cubic (a = -0.5) stretched by the reduction factor, as in Pillow: it
    antialiases, and it is what the training pipelines of most encoders resize with.

    Parameters
    ----------
    pixels : (h, w, 3) uint8
    box : (x0, y0, x1, y1)
        Corners of the part, floats in pixels of the image, corner-based.
    size : (int, int)
        Width and height of the answer.

    Returns
    -------
    (size[1], size[0], 3) uint8
    """
    from PIL import Image

    x0, y0, x1, y1 = box
    same_scale = x1 - x0 == size[0] and y1 - y0 == size[1]
    if same_scale and float(x0).is_integer() and float(y0).is_integer():
        return np.ascontiguousarray(pixels[int(y0) : int(y1), int(x0) : int(x1)])
    image = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, box=box)
    return np.asarray(image)
