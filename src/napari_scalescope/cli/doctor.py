"""`scalescope doctor`: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..errors import ScaleScopeError
from ..settings import Settings


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    name : str
    found : str
        What was found.
    ok : bool
    needed : bool
        Whether ScaleScope cannot work without it.
    remedy : str
        What to do where it is not ok.
    """

    name: str
    found: str
    ok: bool = True
    needed: bool = True
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The check as plain data."""
        return asdict(self)


def examine() -> list[Check]:
    """Look at everything ScaleScope depends on."""
    return [
        _python(),
        *_packages(),
        *_torch(),
        _window(),
        _display(),
        *_folders(),
        _sample(),
        *_weights(),
        _network(),
    ]


def _python() -> Check:
    return Check(
        "Python",
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        sys.version_info >= (3, 11),
        remedy="" if sys.version_info >= (3, 11) else "Install Python 3.11 or newer.",
    )


def _packages() -> Iterator[Check]:
    for name in ("napari-scalescope", "napari", "torch", "timm", "tiffslide", "zarr"):
        try:
            yield Check(name, version(name))
        except PackageNotFoundError:
            yield Check(name, "missing", False, remedy=f"pip install {name}")


def _torch() -> Iterator[Check]:
    try:
        from ..encoders.devices import pick_device, pick_precision

        device = pick_device()
        yield Check("Device", f"{device} in {pick_precision('auto', device)}")
    except (ScaleScopeError, ImportError, OSError, RuntimeError) as error:
        yield Check("Device", f"torch does not work: {error}", False, remedy="Install torch again.")
        return
    yield Check("Cores", f"{os.cpu_count()}", needed=False)


def _try(name: str, look: Callable[[], str], remedy: str, *, needed: bool = True) -> Check:
    try:
        return Check(name, look(), needed=needed)
    except (ScaleScopeError, ImportError, OSError) as error:
        return Check(name, str(error), False, needed, remedy)


def _window() -> Check:
    def look() -> str:
        import qtpy

        return f"{qtpy.API_NAME} {qtpy.PYQT_VERSION or qtpy.PYSIDE_VERSION}"

    return _try("Qt", look, 'pip install "napari-scalescope[all]"')


def _display() -> Check:
    from .offscreen import PACKAGES, has_display

    if has_display():
        return Check("Display", os.environ.get("DISPLAY") or "yes", needed=False)
    if shutil.which("xvfb-run"):
        return Check("Display", "none, a virtual one will be used (Xvfb)", needed=False)
    return Check("Display", "none", False, False, f"apt-get install -y {PACKAGES}")


def _folders() -> Iterator[Check]:
    settings = Settings()
    for name, folder in (
        ("Store folder", settings.store_folder),
        ("Encoder folder", settings.encoder_folder),
    ):
        nearest = next(p for p in (folder, *folder.parents) if p.exists())
        writable = os.access(nearest, os.W_OK)
        free = shutil.disk_usage(nearest).free / 2**30
        yield Check(
            name,
            f"{folder} ({free:.0f} GiB free)",
            writable,
            remedy="" if writable else "Choose another folder in the preferences.",
        )


def _sample() -> Check:
    def look() -> str:
        from ..sample import sample_slide_path
        from ..slides import open_slide

        with open_slide(sample_slide_path()) as slide:
            return repr(slide)

    return _try("Sample slide", look, "Install napari-scalescope again.")


def _weights() -> Iterator[Check]:
    from ..encoders import known_encoders
    from ..encoders.own import own_encoders
    from ..encoders.weights import lacks

    folder = Settings().encoder_folder
    missing = {e.id: lacks(e, folder) for e in known_encoders(folder).values()}
    here = [name for name, what in missing.items() if not what]
    yield Check("Encoders that run here", ", ".join(here), needed=False)
    for name, what in missing.items():
        if what:
            yield Check(f"Encoder {name}", f"lacks {what}", False, needed=False)
    for error in own_encoders(folder)[1]:
        yield Check("Own encoder", error.problem, False, needed=False, remedy=error.remedy)


def _network() -> Check:
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    token = Path(os.environ.get("HF_HOME", Path.home() / ".cache/huggingface")) / "token"
    found = "HF_HUB_OFFLINE is set" if offline else "nothing is downloaded unless asked for"
    return Check("Network", found + (", hub token present" if token.exists() else ""), needed=False)
