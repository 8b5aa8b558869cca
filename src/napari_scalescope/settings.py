"""What the user can set, with its defaults.

In napari these are the preferences of the plugin (declared in the manifest, saved by napari);
scripts and the command line give them as arguments. Both arrive here, so that a default is
written in one place. A test holds the manifest to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import BaseModel, ConfigDict, Field

APP = "napari-scalescope"


class Settings(BaseModel):
    """Settings of one session.

    Parameters
    ----------
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    precision : str
        "auto", "bf16", "fp16" or "fp32".
    batch : int
        Tiles per forward pass, 0 for the device's default.
    cache_mb : int
        Memory for decoded tiles on screen.
    debounce_ms : int
        How long the camera must rest before the view is encoded.
    store_folder : Path
        Where embeddings are kept.
    encoder_folder : Path
        Where weights files are looked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str = "auto"
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    batch: Annotated[int, Field(ge=0, le=1024)] = 0
    cache_mb: Annotated[int, Field(ge=64, le=65536)] = 512
    debounce_ms: Annotated[int, Field(ge=0, le=5000)] = 150
    store_folder: Path = Field(default_factory=lambda: user_cache_path(APP) / "embeddings")
    encoder_folder: Path = Field(default_factory=lambda: user_data_path(APP) / "encoders")
