"""What a long run did, line by line, for whoever comes back to it the next morning."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from ..embeddings.report import Outcome


class RunLog:
    """A file of JSON lines in ``<store>/.runs``. A context manager.

    The first line says what was asked for and with which versions; then there is a line for each
    slide, with its sets, warnings or error; the last says how it ended: ``finished``,
    ``interrupted`` or ``failed``. A log without a last line is that of a run that was killed. Each
    line is on its way to the disk before the next slide begins.

    Parameters
    ----------
    store : path
    request : mapping
        What was asked for.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, store: Path, request: dict[str, Any]) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        self.path = store / ".runs" / f"{stamp}-{os.getpid()}.jsonl"
        self._request = request
        self._file: TextIO | None = None

    def __enter__(self) -> RunLog:
        from ..embeddings.store import versions

        # A store that cannot be written will say so itself, in words.
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="utf-8")
        self._write({"event": "started", "request": self._request, "versions": versions()})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ended = "finished" if kind is None else "failed"
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            ended = "interrupted"
        self._write({"event": ended, **({"error": repr(error)} if error is not None else {})})
        if self._file is not None:
            self._file.close()

    def tell(self, slide: str | Path, outcome: Outcome) -> None:
        """A slide is done."""
        said = {kind: lines for kind, lines in vars(outcome).items() if lines}
        self._write({"event": "slide", "slide": str(slide), **said})

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            stamped = {"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **line}
            self._file.write(json.dumps(stamped, ensure_ascii=False, default=str) + "\n")
            self._file.flush()
