"""Pictures inside a page: a slide small, and maps."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np

from ..analysis import TileMap
from ..slides import Slide
from ..slides.slide import Pixels

#: Longest side of a picture of the slide, pixels.
SIDE = 640
#: Nine steps of viridis, for maps: colour-blind safe, and dark to light in grey too.
RAMP = np.array(
    [(68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140), (40, 174, 128),
     (94, 201, 98), (173, 220, 48), (253, 231, 37)], np.float64
)  # fmt: skip


def image(pixels: Pixels, text: str, *, drawn: bool = False) -> str:
    """An ``<img>`` that carries its pixels (h, w, 3 or 4) uint8.

    Photographs are JPEG; what is ``drawn`` has sharp edges or gaps, and is PNG.
    """
    from PIL import Image

    file = io.BytesIO()
    kind = "png" if drawn else "jpeg"
    made = Image.fromarray(pixels)
    made.save(file, kind, **({} if drawn else {"quality": 85}))
    data = base64.b64encode(file.getvalue()).decode()
    style = ' class="map"' if drawn else ""
    return f'<img{style} alt="{escape(text)}" src="data:image/{kind};base64,{data}">'


def small(slide: Slide) -> Pixels:
    """The whole slide on at most `SIDE` pixels."""
    w, h = slide.dimensions
    scale = min(1.0, SIDE / max(w, h))
    size = (max(1, round(h * scale)), max(1, round(w * scale)))
    return slide.read(slide.box, size=size)


def map_figure(tile_map: TileMap, title: str) -> str:
    """A map of scores or classes as a figure with its legend."""
    values = tile_map.values
    if tile_map.kind == "class":
        colours = {c.value: c.colour for c in tile_map.classes}
        rgba = np.zeros((*values.shape, 4), np.uint8)
        for value, colour in colours.items():
            rgba[values == value] = (*colour, 255)
        legend = ", ".join(c.name for c in tile_map.classes)
        keys = "".join(
            '<span class="key"><svg viewBox="0 0 12 12"><rect width="12" height="12" '
            f'fill="rgb({c.colour[0]}, {c.colour[1]}, {c.colour[2]})"/></svg>'
            f"{escape(c.name)}</span>"
            for c in tile_map.classes
        )
    else:
        lo, hi = tile_map.limits
        share = np.nan_to_num(np.clip((values - lo) / max(hi - lo, 1e-12), 0, 1))
        rgba = np.zeros((*values.shape, 4), np.uint8)
        for i in range(3):
            steps = np.linspace(0, 1, len(RAMP))
            rgba[..., i] = np.rint(np.interp(share, steps, RAMP[:, i])).astype(np.uint8)
        rgba[..., 3] = np.where(np.isfinite(values), 255, 0)
        legend = f"{lo:.2g} (dark) to {hi:.2g} (light) {tile_map.unit}"
        keys = f"<span>{escape(legend)}</span>"
    picture = image(_enlarged(rgba), f"{title}: {legend}", drawn=True)
    caption = f"<figcaption><strong>{escape(title)}</strong>{keys}</figcaption>"
    return f"<figure>{picture}{caption}</figure>"


def _enlarged(rgba: Pixels) -> Pixels:
    """Whole numbers of pixels per tile, so that small maps stay sharp wherever they are shown."""
    by = max(1, 320 // max(rgba.shape[:2]))
    return np.ascontiguousarray(rgba.repeat(by, 0).repeat(by, 1))
