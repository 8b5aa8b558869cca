"""The command `scalescope`."""

from . import cohort_commands, commands, comparing, encoder_commands, store_commands
from .common import app

__all__ = [
    "app",
    "cohort_commands",
    "commands",
    "comparing",
    "encoder_commands",
    "main",
    "store_commands",
]


def main() -> None:
    """Entry point of the command."""
    app()
