"""Options of cross-scale agreement."""

from __future__ import annotations

from ...session.overlays import AgreementOverlay
from .options import Options, select

KINDS = {
    "global": "whole tiles",
    "local": "patch tokens in place",
    "gram": "patterns of tokens",
    "neighbours": "nearest neighbours",
}
STEPS = {0.5: "with half the µm/px", 0.25: "with a quarter", 2.0: "with double", 4.0: "with 4 ×"}


class AgreementOptions(Options):
    """What is compared, and with which magnification."""

    def __init__(self) -> None:
        super().__init__()
        self._kind = self.choice(
            "kind",
            "What is compared",
            "Whole tiles: the coarse embedding against the mean of the fine ones under it.\n"
            "Patch tokens in place: coarse tokens over each fine tile against its mean token.\n"
            "Patterns of tokens: which tokens of a tile are alike (linear CKA).\n"
            "Nearest neighbours: how many of the 10 most similar places are the same ones.",
            KINDS,
        )
        self._step = self.choice(
            "step",
            "The other magnification",
            "The other magnification, from the one that is shown; the inverse where the slide has "
            "nothing so fine. Both are encoded.",
            STEPS,
        )
        self.add_row(self._kind, self._step)

    def show_overlay(self, overlay: AgreementOverlay) -> None:
        """Show both choices."""
        select(self._kind, overlay.kind)
        select(self._step, overlay.step)
