"""The errors ScaleScope raises, each one sentence and a remedy.

Everything that can go wrong for a reason a user can act on is a `ScaleScopeError`.
Widgets show its text as it is; the command line prints it and exits with 1.
Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations


class ScaleScopeError(Exception):
    """What went wrong and what to do about it, in words meant for the user.

    Parameters
    ----------
    problem : str
        One sentence that names the thing (file, encoder, store) and what is wrong with it.
    remedy : str
        One sentence that says what to do. May be empty where nothing can be done.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem} {remedy}".strip())


class SlideError(ScaleScopeError):
    """A slide cannot be opened or a part of it cannot be read."""


class UnreachableError(SlideError):
    """Pixels cannot be had now: the disk, the network or the memory fails, or the slide was closed.

    It says nothing of what the file holds: the same place may well be read a moment later.
    """

    @classmethod
    def of(cls, name: str, error: OSError | MemoryError) -> UnreachableError:
        """In words, what kept a piece of a slide from being read."""
        return cls(
            f"{name} cannot be read now ({error or 'out of memory'}).",
            "Check the disk, the network share and the free memory, then try again.",
        )


class ResolutionError(SlideError):
    """A step needs µm per pixel and the slide does not say, or says something impossible."""


class EncoderError(ScaleScopeError):
    """An encoder cannot be found, built, loaded or run."""


class StoreError(ScaleScopeError):
    """An embedding store cannot be read or written."""


class ExchangeError(ScaleScopeError):
    """A file to import is not what it claims to be, or an export cannot be written."""


class ClusterError(ScaleScopeError):
    """Machines that should work together cannot be reached, do not fit together, or were lost."""


class AnalysisError(ScaleScopeError):
    """What is there cannot be analysed in the way that was asked for."""
