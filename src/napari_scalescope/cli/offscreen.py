"""Running the window where there is no screen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from ..errors import ScaleScopeError

#: What a virtual screen needs beyond a bare Debian or Ubuntu.
PACKAGES = (
    "xvfb xauth libgl1 libegl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1"
)
SCREEN = "-screen 0 1600x1000x24"


def has_display() -> bool:
    """Whether a window can be opened. Only X11 and Wayland machines can be without."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def run_offscreen(arguments: list[str]) -> int:
    """Run ``scalescope ARGUMENTS`` on a virtual screen; returns its exit status.

    Raises
    ------
    ScaleScopeError
        If there is no virtual screen to run on.
    """
    xvfb = shutil.which("xvfb-run")
    if xvfb is None:
        raise ScaleScopeError(
            "There is no display, and no virtual one (Xvfb) either.",
            f"Install it: apt-get install -y {PACKAGES}",
        )
    command = [sys.executable, "-m", "napari_scalescope", *arguments]
    return subprocess.run([xvfb, "-a", "-s", SCREEN, *command], check=False).returncode
