"""OME-Zarr (NGFF) 0.4 on zarr 2 and 0.5 on zarr 3."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError, UnreachableError
from ..chunks import ChunkCache, assemble
from ..resolution import UM_PER, Statement
from ..slide import Pixels


class OmeZarrReader:
    """Reads the first multiscale image of an OME-Zarr group. See `slides.slide.Reader`."""

    def __init__(self, path: Path, chunks: ChunkCache | None = None) -> None:
        import zarr

        self._cache = chunks or ChunkCache()
        self._name = path.name
        group = zarr.open_group(path, mode="r")
        multiscale = _multiscale(group)
        if multiscale is None and "0" in group and isinstance(group["0"], zarr.Group):
            # The layout of bioformats2raw: one sub-group per image.
            group = group["0"]
            multiscale = _multiscale(group)
        if multiscale is None:
            raise SlideError(
                f"{path.name} is a zarr folder without an OME-NGFF image in it.",
                'Choose the folder whose attributes have "multiscales".',
            )
        datasets = multiscale.get("datasets") or []
        if not datasets:
            raise SlideError(
                f"{path.name} lists no resolution levels.", "Write the image again with its levels."
            )
        self._axes = [_axis_name(a) for a in multiscale.get("axes", "tczyx")]
        self._units = [_axis_unit(a) for a in multiscale.get("axes", "tczyx")]
        try:
            self._levels: list[Any] = [group[d["path"]] for d in datasets]
        except KeyError as error:
            raise SlideError(
                f"{path.name} lists a level that is not there ({error}).",
                "Copy the folder again from its source.",
            ) from error
        self._check(path)
        self._multiscale, self._datasets = multiscale, datasets
        version = multiscale.get("version") or _attrs(group).get("version", "")
        self.format = f"OME-Zarr {version}".strip()
        y, x = self._axes.index("y"), self._axes.index("x")
        self.sizes = tuple((int(a.shape[x]), int(a.shape[y])) for a in self._levels)
        self.chunks = tuple(
            (min(int(a.chunks[x]), w), min(int(a.chunks[y]), h))
            for a, (w, h) in zip(self._levels, self.sizes, strict=True)
        )
        self.properties: Mapping[str, Any] = {
            "name": multiscale.get("name", ""),
            "axes": self._axes,
        }
        self.associated: tuple[str, ...] = ()
        self.doubts: list[str] = []

    def _check(self, path: Path) -> None:
        first = self._levels[0]
        shape = dict(zip(self._axes, first.shape, strict=False))
        if len(self._axes) != first.ndim or "x" not in shape or "y" not in shape:
            raise SlideError(
                f"{path.name} has axes {self._axes} but an array of shape {first.shape}.",
                "Write the image again: its metadata does not fit its data.",
            )
        extra = [f"{n} {k}" for k, n in shape.items() if k not in "cyx" and n > 1]
        if extra or shape.get("c", 1) not in (1, 3, 4) or first.dtype != np.uint8:
            what = ", ".join([*extra, f"{shape.get('c', 1)} channels of {first.dtype}"])
            raise SlideError(
                f"{path.name} holds {what}: not one 8-bit brightfield image.",
                "Open it with a multichannel reader, or export the brightfield image as RGB.",
            )

    def read(self, level: int, x: int, y: int, w: int, h: int) -> Pixels:
        """Pixels (h, w, 3) of a window inside a level."""
        return assemble(
            x,
            y,
            w,
            h,
            self.chunks[level],
            lambda r, c: self._cache.get((level, r, c), lambda: self._chunk(level, r, c)),
        )

    def _chunk(self, level: int, row: int, col: int) -> Pixels:
        (cw, ch), (w, h) = self.chunks[level], self.sizes[level]
        window = {
            "y": slice(row * ch, min((row + 1) * ch, h)),
            "x": slice(col * cw, min((col + 1) * cw, w)),
            "c": slice(None),
        }
        try:
            part = np.asarray(self._levels[level][tuple(window.get(a, 0) for a in self._axes)])
        except (OSError, MemoryError) as error:  # of the moment, not of the file
            raise UnreachableError.of(self._name, error) from error
        except Exception as error:  # codecs and stores raise many kinds
            raise SlideError(
                f"{self._name} is damaged: piece ({row}, {col}) of level {level} cannot be read "
                f"({error}).",
                "Copy the folder again from its source.",
            ) from error
        kept = [a for a in self._axes if a in window]
        if "c" in kept:
            part = np.transpose(part, [kept.index(a) for a in "yxc"])
        else:
            part = np.transpose(part, [kept.index(a) for a in "yx"])[..., None]
        if part.shape[-1] == 1:
            part = np.repeat(part, 3, axis=-1)
        return np.ascontiguousarray(part[..., :3])

    def close(self) -> None:
        """Forget decoded pieces."""
        self._cache.clear()

    def statements(self) -> tuple[list[Statement], float | None]:
        """The scale of level 0, in µm where the axes have a unit of length."""
        scale = np.ones(len(self._axes))
        transforms = [
            *self._datasets[0].get("coordinateTransformations", []),
            *self._multiscale.get("coordinateTransformations", []),
        ]
        found = False
        for transform in transforms:
            if transform.get("type") == "scale" and len(transform["scale"]) == len(scale):
                scale *= np.asarray(transform["scale"], float)
                found = True
        x, y = self._axes.index("x"), self._axes.index("y")
        if not found or None in (self._units[x], self._units[y]):
            return [], None
        um = [float(scale[i]) * UM_PER.get(str(self._units[i]), float("nan")) for i in (x, y)]
        return [Statement("NGFF scale", um[0], um[1])], None


def _multiscale(group: Any) -> dict[str, Any] | None:
    found = _attrs(group).get("multiscales")
    return dict(found[0]) if found else None


def _attrs(group: Any) -> dict[str, Any]:
    """The attributes NGFF puts at the top in 0.4 and under "ome" in 0.5."""
    attrs = dict(group.attrs)
    return dict(attrs.get("ome") or attrs)


def _axis_name(axis: Any) -> str:
    return str(axis["name"] if isinstance(axis, Mapping) else axis).lower()


def _axis_unit(axis: Any) -> str | None:
    return axis.get("unit") if isinstance(axis, Mapping) else None
