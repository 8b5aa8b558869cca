"""Weights from the hub at a terminal: the licence first, then a bar."""

from __future__ import annotations

from pathlib import Path

import typer

from ..encoders import Entry
from ..encoders.hub import download
from ..encoders.remembered import licence_accepted


def agreed(entry: Entry, folder: Path, ask: bool) -> bool:
    """Whether the licence asks nothing, was accepted before, or the user says yes to it now."""
    if licence_accepted(entry, folder):
        return True
    if not ask:
        return False
    return typer.confirm(f"{entry.name}: {entry.licence}. {entry.use_text} Go on?", err=True)


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
