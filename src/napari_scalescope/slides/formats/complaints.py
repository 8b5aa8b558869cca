"""What a parser says of a file only in its log."""

from __future__ import annotations

import logging
import threading


class Complaints(logging.Handler):
    """Collects what a library logs in this thread while the block lasts.

    tifffile reads as much of a damaged file as it can and says in its log what it left out: a
    level, a tag. Who looks at the slide has to know.

    Parameters
    ----------
    logger : str
        Name of the library's logger.

    Attributes
    ----------
    texts : list of str
    """

    def __init__(self, logger: str) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self._logger = logging.getLogger(logger)
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        if record.thread == self._thread:
            self.texts.append(record.getMessage())

    def __enter__(self) -> Complaints:
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
