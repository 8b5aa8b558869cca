"""How many µm a pixel is, which tag said so, and what is doubtful about it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import ResolutionError

#: No slide is scanned, or published in overview, outside this range.
PLAUSIBLE = (0.05, 50.0)
#: Dots per inch that are set for paper. Some are within the range and never meant as µm per pixel.
PRINT_DPI = (600, 720, 800, 1000, 1200)
#: Two tags that differ by less than this agree.
AGREE = 0.02
#: Pixels whose sides differ by more than this cannot be treated as square; by more than the
#: second, it is said.
SQUARE, NEARLY_SQUARE = 0.05, 0.01

#: Micrometres in one of each unit of length that image files name.
UM_PER: Mapping[str, float] = {
    "pm": 1e-6, "nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6,
    "nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4,
    "in": 25400.0, "inch": 25400.0,
}  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """What one tag says.

    Parameters
    ----------
    source : str
        Name of the tag, as a reader of the file's documentation would look it up.
    mpp_x, mpp_y : float
        µm per level-0 pixel on each axis.
    """

    source: str
    mpp_x: float
    mpp_y: float

    @property
    def mpp(self) -> float:
        """The geometric mean of both axes."""
        if self.mpp_x == self.mpp_y:
            return self.mpp_x
        return math.sqrt(self.mpp_x) * math.sqrt(self.mpp_y)

    @property
    def problem(self) -> str:
        """Why it cannot be believed, "" where it can."""
        lo, hi = PLAUSIBLE
        if not all(math.isfinite(v) and v > 0 for v in (self.mpp_x, self.mpp_y)):
            return f"{self.source} says {self.mpp_x:g} × {self.mpp_y:g} µm/px, which means nothing"
        dpi = 25400 / self.mpp
        if any(abs(dpi / paper - 1) < 1e-3 for paper in PRINT_DPI):
            return f"{self.source} says {dpi:.0f} dots per inch, a print resolution"
        if not all(lo <= v <= hi for v in (self.mpp_x, self.mpp_y)):
            hint = f" ({dpi:.0f} dots per inch, a print resolution)" if 20 < dpi <= 400 else ""
            return f"{self.source} says {self.mpp:.5g} µm/px{hint}, outside {lo} to {hi}"
        if abs(self.mpp_x / self.mpp_y - 1) > SQUARE:
            return (
                f"{self.source} says {self.mpp_x:.5g} × {self.mpp_y:.5g} µm/px: "
                "pixels that are not square are not supported"
            )
        return ""


@dataclass(frozen=True)
class Resolution:
    """µm per pixel of a slide's level 0.

    Parameters
    ----------
    mpp : float or None
        The value in use, None where no tag gives a believable one.
    source : str
        The tag it came from, or why there is none.
    objective : float or None
        The objective's nominal power. A label to show ("40×"), never used in a calculation:
        the same power stands for 0.23 to 0.28 µm/px on different scanners.
    warnings : tuple of str
        Doubts, each a sentence: values ignored, tags that disagree.
    """

    mpp: float | None
    source: str
    objective: float | None = None
    warnings: tuple[str, ...] = ()

    def overridden(self, mpp: float, source: str = "set by the user") -> Resolution:
        """The same, with a value given by the user.

        Raises
        ------
        ResolutionError
            If the value is not a positive number.
        """
        return replace(self, mpp=possible(mpp), source=source)


def as_number(value: object) -> float | None:
    """The value of a tag as a number, None where it is none."""
    try:
        return None if value is None else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def possible(mpp: float) -> float:
    """A resolution given by the user, if it is one at all.

    Raises
    ------
    ResolutionError
        If it is not a positive number.
    """
    if not (math.isfinite(mpp) and mpp > 0):
        raise ResolutionError(
            f"A resolution is a positive number of µm per pixel, not {mpp:g}.",
            f"Give one between {PLAUSIBLE[0]:g} and {PLAUSIBLE[1]:g}.",
        )
    return float(mpp)


def resolve(statements: Sequence[Statement], objective: float | None = None) -> Resolution:
    """Decide on a resolution from everything a file says.

    Parameters
    ----------
    statements : sequence of Statement
        The most trustworthy first: a vendor's own field before the generic TIFF resolution.
    objective : float, optional
        Nominal power of the objective.
    """
    warnings = [s.problem + "; ignored" for s in statements if s.problem]
    believed = [s for s in statements if not s.problem]
    if not believed:
        source = "no tag gives a resolution" if not statements else "no tag gives a plausible one"
        return Resolution(None, source, objective, tuple(warnings))
    chosen = believed[0]
    if abs(chosen.mpp_x / chosen.mpp_y - 1) > NEARLY_SQUARE:
        warnings.append(
            f"{chosen.source} says {chosen.mpp_x:.4g} × {chosen.mpp_y:.4g} µm/px: pixels are taken "
            f"for squares of {chosen.mpp:.4g}"
        )
    warnings += [
        f"{chosen.source} says {chosen.mpp:.4g} µm/px but {other.source} says {other.mpp:.4g}; "
        "the first is used"
        for other in believed[1:]
        if abs(other.mpp / chosen.mpp - 1) > AGREE
    ]
    return Resolution(chosen.mpp, chosen.source, objective, tuple(warnings))
