"""Weights from the hub at a terminal: the licence first, then a bar."""

from __future__ import annotations

from pathlib import Path

import typer

from ..encoders import Entry
from ..encoders.hub import download


def agreed(entry: Entry, ask: bool) -> bool:
    """Whether the licence lets anybody use it, or the user says yes to what it asks."""
    if not entry.asks:
        return True
    if not ask:
        return False
    use = {
        True: "Its makers give it to those who accept its licence.",
        False: "Its licence does not allow commercial use.",
        None: "Whether it may be used commercially must be read in its licence.",
    }[entry.commercial]
    return typer.confirm(f"{entry.name}: {entry.licence}. {use} Go on?", err=True)


def fetch(entry: Entry, show: bool) -> Path:
    """Download, with a bar on standard error."""
    if not show:
        return download(entry)
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(entry.name, total=None)
        return download(
            entry, lambda done, total: bar.update(task, completed=done, total=total or None)
        )
