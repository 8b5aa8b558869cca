"""Small JSON files with what the user has said once and should not have to say again."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


def recall(path: Path) -> dict[str, Any]:
    """What a file remembers: nothing where it is not there or cannot be read, which is logged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        log.warning("%s does not hold what it should", path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        log.warning("what is remembered in %s cannot be read: %s", path, error)
    return {}


def remember(path: Path, facts: dict[str, Any]) -> bool:
    """Write a file whole or not at all. False where the disk refuses, which is logged."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        log.warning("nothing can be remembered in %s: %s", path, error)
        return False
    return True
