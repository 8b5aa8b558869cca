"""What processes that were killed leave behind in a store."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders; what is gone already is no trouble."""
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
