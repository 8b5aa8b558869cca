"""The plugin's page in napari's preferences, as `Settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..settings import Settings

PLUGIN = "napari-scalescope"
#: Field of `Settings` for each page and property of the manifest.
FIELDS = {
    ("encoding", "device"): "device",
    ("encoding", "precision"): "precision",
    ("encoding", "batch"): "batch",
    ("encoding", "debounce_ms"): "debounce_ms",
    ("storage", "cache_mb"): "cache_mb",
    ("storage", "store_folder"): "store_folder",
    ("storage", "encoder_folder"): "encoder_folder",
}


def read_settings() -> Settings:
    """What the user set in napari; our defaults where napari does not know the plugin."""
    from napari.settings import get_plugin_settings

    try:
        pages = get_plugin_settings(PLUGIN)
    except KeyError:
        return Settings()
    values: dict[str, Any] = {}
    for (page, key), field in FIELDS.items():
        value = getattr(getattr(pages, page), key)
        if field.endswith("_folder"):
            if not value:
                continue  # empty means the default place
            value = Path(value).expanduser()
        values[field] = value
    return Settings(**values)
