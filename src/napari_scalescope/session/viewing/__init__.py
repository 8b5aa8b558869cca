"""A record of where somebody looked, at which magnification, and for how long."""

from .lines import read_viewing, write_viewing
from .record import PATIENCE_S, ViewingRecord

__all__ = ["PATIENCE_S", "ViewingRecord", "read_viewing", "write_viewing"]
