"""Options of the attention map."""

from __future__ import annotations

from ...encoders import Entry
from ...session.overlays import AttentionOverlay
from .options import Options, select


class AttentionOptions(Options):
    """Which block, which head, and what the colours span."""

    def __init__(self) -> None:
        super().__init__()
        self._made_of = self.choice(
            "made_of",
            "What the attention map is made of",
            "One block's attention, attention rolled out through all blocks (Abnar & Zuidema "
            "2020), or how long each place's features are",
            {},
        )
        self._head = self.choice("head", "Attention head", "Attention head", {})
        self._normalise = self.choice(
            "normalise",
            "What the colours span",
            "This view: all colours for what is on the screen. Whole slide: a colour means the "
            "same number wherever you look. Each tile: from its own smallest to its largest, not "
            "comparable across tiles.",
            {
                "view": "colours span the view",
                "slide": "colours span the slide",
                "tile": "colours span each tile",
            },
        )
        for choice in (self._made_of, self._head, self._normalise):
            self.add_row(choice)
        self._has_attention = False

    def show_overlay(self, overlay: AttentionOverlay) -> None:
        """Show block, head and span."""
        select(self._normalise, overlay.normalise)
        select(self._made_of, overlay.made_of)
        select(self._head, overlay.head)
        self._show_what_applies()

    def show_encoder(self, entry: Entry, depth: int) -> None:
        """Offer its blocks and heads."""
        self._has_attention = entry.shows == "attention"
        chosen, own = self._made_of.currentData(), entry.attention_block
        self._made_of.clear()
        self._made_of.addItem(f"usual: {depth + 1 + own} of {depth}" if depth else "usual block")
        for block in range(-1, -depth - 1, -1):
            if block != own:
                self._made_of.addItem(f"block {depth + 1 + block} of {depth}", block)
        self._made_of.addItem("rollout", "rollout")
        self._made_of.addItem("feature norm", "feature norm")
        select(self._made_of, chosen)
        if self._head.count() != entry.heads + 1:
            self._head.clear()
            self._head.addItem("mean of heads", None)
            for i in range(entry.heads):
                self._head.addItem(f"head {i + 1}", i)
        self._show_what_applies()

    def _show_what_applies(self) -> None:
        of_a_block = not isinstance(self._made_of.currentData(), str)
        self._made_of.setVisible(self._has_attention)
        self._head.setVisible(self._has_attention and of_a_block)
