"""Exchange: what others wrote in, what they can read out."""

from __future__ import annotations

from pathlib import Path

from ..errors import ExchangeError
from ..regions import Regions
from .geojson import read_geojson, write_geojson

__all__ = ["export", "read_geojson", "read_regions", "write_geojson"]


def export(thing: Regions, path: str | Path) -> Path:
    """Write something in the format its suffix names, and say where it is.

    Parameters
    ----------
    thing : Regions
    path : path
        ``.geojson`` or ``.geojson.gz``.

    Raises
    ------
    ExchangeError
        If the format is not one for this, or the file cannot be written.
    """
    path = Path(path)
    if isinstance(thing, Regions) and path.name.lower().endswith((".geojson", ".geojson.gz")):
        write_geojson(thing, path)
        return path
    raise ExchangeError(
        f"{type(thing).__name__} cannot be written as {''.join(path.suffixes) or path.name}.",
        "Regions are written as .geojson or .geojson.gz.",
    )


def read_regions(path: str | Path) -> Regions:
    """Read regions from a file in level-0 pixels: GeoJSON (``.geojson``, ``.json``, ``.gz``)."""
    return read_geojson(path)
