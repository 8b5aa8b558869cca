"""How fast an encoder is here."""

from __future__ import annotations

import statistics
import time

from ...encoders import Encoder
from ...slides.slide import Pixels

#: Rounds over the tiles, of which the median is taken.
ROUNDS = 3


def tiles_per_second(encoder: Encoder, pixels: Pixels) -> float:
    """Tiles that the encoder takes per second on this machine, without reading them.

    One round is not counted: buffers are made, and a device wakes up.

    Parameters
    ----------
    encoder : Encoder
    pixels : (n, px, px, 3) uint8
        A few batches of them.
    """
    encoder.encode(pixels, ())
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        encoder.encode(pixels, ())
        seconds.append(time.perf_counter() - began)
    return len(pixels) / statistics.median(seconds)
