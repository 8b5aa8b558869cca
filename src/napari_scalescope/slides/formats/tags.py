"""What the tags of a TIFF page say about its scale; for OME-XML see `ome_xml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..resolution import UM_PER, Statement


def resolution(page: Any) -> list[Statement]:
    """The TIFF resolution of a page, if it has one with a unit."""
    unit = page.tags.get("ResolutionUnit")
    per_unit = None if unit is None else {2: 25400.0, 3: 1e4, 4: 1e3, 5: 1.0}.get(int(unit.value))
    sides = _pixels_per_unit(page)
    if per_unit is None or sides is None:
        return []
    return [Statement("TIFF XResolution", per_unit / sides[0], per_unit / sides[1])]


def imagej(metadata: Mapping[str, Any] | None, page: Any) -> list[Statement]:
    """ImageJ's and Fiji's: pixels per unit in the TIFF resolution, the unit in the description."""
    unit = UM_PER.get(_imagej_unit(str((metadata or {}).get("unit", ""))))
    sides = _pixels_per_unit(page)
    if unit is None or sides is None:
        return []
    return [Statement("ImageJ unit", unit / sides[0], unit / sides[1])]


def _imagej_unit(written: str) -> str:
    """It writes the letter µ as an escape, and "micron" in words."""
    written = written.replace("\\u00B5", "µ")
    return {"micron": "µm", "microns": "µm"}.get(written, written)


def _pixels_per_unit(page: Any) -> tuple[float, float] | None:
    x, y = (page.tags.get(name) for name in ("XResolution", "YResolution"))
    if x is None or y is None:
        return None
    try:
        sides = x.value[0] / x.value[1], y.value[0] / y.value[1]
    except (TypeError, ZeroDivisionError, IndexError):
        return None
    return sides if min(sides) > 0 else None
