"""What is known of the slide, first of all its scale."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QPushButton, QToolButton, QWidget

from ..slides import Slide
from .parts import Section, Words


class SlideCard(Section):
    """Name, size and resolution of the slide, with a field to override the resolution."""

    mpp_set = Signal(object)
    """(float or None): the user says how many µm a pixel is, or goes back to what the file says."""

    def __init__(self) -> None:
        super().__init__("Slide")
        self._name = Words()
        self._facts = Words()
        self._resolution = Words()
        self._warning = Words()
        self._field = QDoubleSpinBox()
        self._field.setDecimals(4)
        self._field.setRange(0.01, 100.0)
        self._field.setSingleStep(0.05)
        self._field.setValue(0.5)
        self._field.setSuffix(" µm/px")
        self._field.setAccessibleName("Resolution of the slide in µm per pixel")
        self._set = QPushButton("Set")
        self._set.setToolTip("Use this resolution instead of what the file says")
        self._set.clicked.connect(lambda: self.mpp_set.emit(self._field.value()))
        self._override = QWidget()
        row = QHBoxLayout(self._override)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._field, 1)
        row.addWidget(self._set)
        self._reset = QPushButton("As in the file")
        self._reset.setToolTip("Forget what was set, and use what the file says")
        self._reset.clicked.connect(lambda: self.mpp_set.emit(None))
        row.addWidget(self._reset)
        self._change = QToolButton()
        self._change.setText("Change…")
        self._change.setToolTip("Override the resolution")
        self._change.clicked.connect(lambda: self._override.setVisible(self._override.isHidden()))
        badge = QHBoxLayout()
        badge.addWidget(self._resolution, 1)
        badge.addWidget(self._change)
        self.body.addWidget(self._name)
        self.body.addWidget(self._facts)
        self.body.addLayout(badge)
        self.body.addWidget(self._override)
        self.body.addWidget(self._warning)
        self.show_slide(None)

    def show_slide(self, slide: Slide | None) -> None:
        """Show a slide, or say how to open one."""
        self._override.setVisible(slide is not None and slide.mpp is None)
        self._change.setVisible(slide is not None and slide.mpp is not None)
        if slide is None:
            self._name.say("Drop a slide here, or choose File ▸ Open Sample ▸ ScaleScope.")
            for words in (self._facts, self._resolution, self._warning):
                words.say("")
            return
        self._reset.setVisible(slide.resolution is not slide.stated)
        self._name.say(slide.name)
        w, h = slide.dimensions
        size = slide.size_mm
        mm = "" if size is None else f"{size[0]:.2f} × {size[1]:.2f} mm · "
        levels = f"{len(slide.levels)} level{'s' if len(slide.levels) > 1 else ''}"
        self._facts.say(f"{mm}{w:,} × {h:,} px · {levels} · {slide.format}".replace(",", " "))
        if slide.mpp is None:
            self._resolution.say(
                f"Resolution unknown ({slide.mpp_source}). Set it to encode.", doubtful=True
            )
        else:
            power = slide.resolution.objective
            label = f" · {power:g}× objective" if power else ""
            self._resolution.say(f"{slide.mpp:.4g} µm/px ({slide.mpp_source}){label}")
            self._field.setValue(slide.mpp)
        doubts = list(slide.resolution.warnings)
        if slide.channels:
            seen = ", ".join(slide.channels)
            doubts.append(f"Fluorescence in false colours ({seen}): to look at, not to encode.")
        self._warning.say("\n".join(doubts), doubtful=True)
