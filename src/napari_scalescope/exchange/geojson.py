"""Regions as GeoJSON that QuPath, and everything that reads QuPath's, takes.

Coordinates are level-0 pixels, x to the right, y down, as everywhere in ScaleScope and QuPath.
The rules are those of QuPath 0.4 and later: a ``classification`` is an object with a name *and* a
colour, an ``id`` is a UUID, ``isLocked`` is there only when true, ``measurements`` is an object
whose non-finite numbers are strings.
"""

from __future__ import annotations

import gzip
import json
import math
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from ..errors import ExchangeError
from ..regions import Colour, Region, Regions

ObjectType = Literal["annotation", "detection", "tile"]

#: Shown for classes that came without a colour: QuPath refuses a class that has none.
GREY: Colour = (128, 128, 128)


def write_geojson(
    regions: Regions, path: str | Path, *, object_type: ObjectType = "annotation"
) -> None:
    """Write regions, one feature after the other, whatever their number.

    Parameters
    ----------
    regions : Regions
    path : path
        ``.geojson``, or ``.geojson.gz`` to compress. Replaced whole once it is complete.
    object_type : "annotation", "detection" or "tile"
        What QuPath makes of them.

    Raises
    ------
    ExchangeError
        If it cannot be written.
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with _opened(draft, "wt", packed=path.suffix == ".gz") as file:
            file.write('{"type": "FeatureCollection", "features": [')
            for i, region in enumerate(regions):
                file.write(",\n" if i else "\n")
                json.dump(_feature(region, object_type), file, ensure_ascii=False)
            file.write("\n]}\n")
        draft.replace(path)
    except OSError as error:
        raise ExchangeError(
            f"{path.name} cannot be written ({error}).", "Choose another folder."
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _feature(region: Region, object_type: ObjectType) -> dict[str, Any]:
    from shapely.geometry import mapping

    properties: dict[str, Any] = {**region.properties, "objectType": object_type}
    if region.name:
        properties["name"] = region.name
    if region.label:
        colour = region.colour or GREY
        properties["classification"] = {"name": region.label, "color": list(colour)}
    if region.measurements:
        properties["measurements"] = {k: _number(v) for k, v in region.measurements.items()}
    return {
        "type": "Feature",
        "id": region.id,
        "geometry": mapping(region.geometry),
        "properties": properties,
    }


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def read_geojson(path: str | Path) -> Regions:
    """Read regions from GeoJSON of QuPath of any version, LazySlide, or hand-written.

    Takes a FeatureCollection, a list of features, one feature, or a bare geometry. Features
    without geometry are left out.

    Raises
    ------
    ExchangeError
        If the file is not there, not GeoJSON, or has coordinates that are not numbers.
    """
    path = Path(path)
    try:
        with _opened(path, "rt", packed=path.suffix == ".gz") as file:
            content = json.load(file)
    except FileNotFoundError:
        raise ExchangeError(f"There is no file {path}.", "Check the name.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, EOFError) as error:
        raise ExchangeError(
            f"{path.name} is not GeoJSON ({error}).", "Export the annotations again."
        ) from error
    from shapely.errors import ShapelyError

    try:
        return Regions(_region(feature) for feature in _features(content))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, ShapelyError) as error:
        raise ExchangeError(
            f"{path.name} holds a feature that makes no sense ({error}).",
            "Export the annotations again.",
        ) from error


def _features(content: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(content, list):
        for item in content:
            yield from _features(item)
    elif content.get("type") == "FeatureCollection":
        yield from _features(content.get("features") or [])
    elif content.get("type") == "Feature":
        if content.get("geometry"):
            yield content
            yield from _features(content.get("properties", {}).get("childObjects") or [])
    elif content.get("type") == "GeometryCollection" or "coordinates" in content:
        yield {"geometry": content}
    else:
        raise ValueError("no feature and no geometry")


def _region(feature: Mapping[str, Any]) -> Region:
    import shapely
    from shapely.geometry import shape

    with np.errstate(invalid="ignore"):  # numbers that are none are told of below
        geometry = shape(feature["geometry"])
    if not math.isfinite(sum(shapely.get_coordinates(geometry).sum(0))):
        raise ValueError("a coordinate is not a number")
    properties = dict(feature.get("properties") or {})
    label, colour = _classification(properties.pop("classification", None))
    own = properties.pop("color", None)
    measurements = properties.pop("measurements", None) or {}
    if isinstance(measurements, list):  # before QuPath 0.4
        measurements = {m["name"]: m["value"] for m in measurements}
    for key in ("objectType", "object_type", "childObjects"):
        properties.pop(key, None)
    return Region(
        geometry,
        label=label,
        name=str(properties.pop("name", "") or ""),
        colour=colour or _colour(own),
        measurements={str(k): float(v) for k, v in measurements.items()},
        id=_uuid(feature.get("id")),
        properties=properties,
    )


def _classification(value: Any) -> tuple[str, Colour | None]:
    if isinstance(value, str):
        if not value.lstrip().startswith("{"):
            return value, None
        value = json.loads(value)  # LazySlide writes the object as a string
    if not isinstance(value, Mapping):
        return "", None
    name = value.get("name") or ": ".join(value.get("names") or [])
    return str(name), _colour(value.get("color", value.get("colorRGB")))


def _colour(value: Any) -> Colour | None:
    if isinstance(value, int):  # packed as QuPath did before 0.4
        return ((value >> 16) & 255, (value >> 8) & 255, value & 255)
    if isinstance(value, list) and len(value) >= 3:
        r, g, b = (int(v) for v in value[:3])
        return (r, g, b)
    return None


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        return str(uuid.uuid4())


@contextmanager
def _opened(path: Path, mode: Literal["rt", "wt"], *, packed: bool) -> Iterator[IO[str]]:
    if packed:
        with gzip.open(path, mode, encoding="utf-8") as file:
            yield file
    else:
        with path.open(mode, encoding="utf-8") as plain:
            yield plain
