"""Every number of a comparison, with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from ..analysis.comparison import Comparison


def comparison_as_dict(found: Comparison) -> dict[str, Any]:
    """A tidy table and its provenance, ready for JSON.

    Returns
    -------
    dict
        ``slide``; ``numbers``, one dict per row (`Number`); ``provenance``, per encoder and
        resolution what its vectors depend on; ``notes``; ``version``.
    """
    return {
        "slide": found.slide,
        "numbers": [n.as_dict() for n in found.numbers],
        "provenance": [
            {"encoder": name, "mpp": mpp, **_plain(emb.provenance)}
            for (name, mpp), emb in found.sets.items()
        ],
        "notes": list(found.notes),
        "version": version("napari-scalescope"),
    }


def _plain(thing: Any) -> Any:
    if isinstance(thing, Mapping):
        return {str(k): _plain(v) for k, v in thing.items()}
    if isinstance(thing, list | tuple):
        return [_plain(v) for v in thing]
    return thing if isinstance(thing, str | int | float | bool | None) else str(thing)
