"""Resolutions the user has set, by the slide's fingerprint, so that nobody has to set one twice."""

from __future__ import annotations

import logging
from pathlib import Path

from platformdirs import user_data_path

from .. import remembering
from ..settings import APP

log = logging.getLogger(__name__)


def _file() -> Path:
    return user_data_path(APP) / "resolutions.json"


def _all() -> dict[str, float]:
    try:
        return {str(key): float(value) for key, value in remembering.recall(_file()).items()}
    except (ValueError, TypeError) as error:
        log.warning("the remembered resolutions in %s cannot be read: %s", _file(), error)
        return {}


def _key(fingerprint: str) -> str:
    """The same for a slide whose colours are corrected, which changes nothing of its scale."""
    return fingerprint.partition("+")[0]


def recall(fingerprint: str) -> float | None:
    """µm per level-0 pixel that was set for a slide before, None where none was."""
    return _all().get(_key(fingerprint))


def remember(fingerprint: str, mpp: float | None) -> None:
    """Keep what was set for a slide; None forgets it. A disk that refuses is only logged."""
    kept = _all()
    if mpp is None:
        kept.pop(_key(fingerprint), None)
    else:
        kept[_key(fingerprint)] = mpp
    remembering.remember(_file(), kept)
