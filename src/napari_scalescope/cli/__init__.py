"""The command `scalescope`."""

from . import cohort_commands, commands, encoder_commands
from .common import app

__all__ = ["app", "cohort_commands", "commands", "encoder_commands", "main"]


def main() -> None:
    """Entry point of the command."""
    app()
