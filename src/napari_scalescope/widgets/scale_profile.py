"""The Scale profile dock: one place, seen at every magnification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from ..analysis import ScaleProfile
from ..geometry import Box
from .coordinator import Coordinator
from .parts import Words
from .profile_plot import ProfilePlot, picture_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

MEANING = (
    "Each cell is the cosine between what the encoder makes of two views of the place. Most its "
    "own is the view that is less like the others than views so far apart usually are (own). "
    "Beyond the slide's edge views are white. Double-click a view to go there."
)
EMPTY = "Click on the tissue to see that place at every magnification."
#: Side of the pictures of the views that are pointed at, px.
LARGE = 132


class ScaleProfileDock(QScrollArea):
    """The scale profile of the place that was clicked, filled in view by view.

    While it is in sight it follows the questions asked on the slide; a button asks for the
    centre of the view.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setMinimumWidth(260)
        self._hub = Coordinator.of(napari_viewer)
        self._hub.join(self)
        self.said = Words(EMPTY)
        self.centre = QPushButton("Centre of the view")
        self.centre.setToolTip("The scale profile of the place in the middle of the window")
        self.centre.clicked.connect(self._ask_centre)
        self.plot = ProfilePlot()
        self.plot.pointed.connect(self._on_pointed)
        self.plot.activated.connect(self._on_activated)
        self._pictures = (QLabel(), QLabel())
        self.detail = Words("")
        self.detail.setMinimumHeight(2 * self.fontMetrics().height() + 4)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.said)
        layout.addWidget(self.centre)
        layout.addWidget(self.plot)
        row = QHBoxLayout()
        for picture in self._pictures:
            picture.setFixedHeight(LARGE)
            row.addWidget(picture)
        row.addStretch(1)
        layout.addLayout(row)
        layout.addWidget(self.detail)
        layout.addWidget(Words(MEANING))
        layout.addStretch(1)
        self.setWidget(body)
        main, session = self._hub.main, self._hub.session
        main.on(session.profile.changed, self._show, self)
        main.on(session.questions.changed, self._follow, self)
        self._show()

    # --- what the user asked for ---

    def showEvent(self, event: Any) -> None:
        """Brought to the front: what was asked meanwhile."""
        super().showEvent(event)
        self._follow()

    def _follow(self) -> None:
        session = self._hub.session
        place = session.questions.asked.place
        if place is not None and self.isVisible() and place != session.profile.place:
            session.profile.ask(*place)

    def _ask_centre(self) -> None:
        session = self._hub.session
        if session.on_screen is not None:
            session.profile.ask(*session.on_screen.box.centre)

    def _on_activated(self, view: int) -> None:
        profile, slide = self._hub.session.profile.found, self._hub.session.slide
        if profile is not None and slide is not None:
            side = profile.views.shape[1] * float(profile.mpp[view]) / slide.require_mpp()
            self._hub.viewport.show(Box.around(profile.at, side))

    # --- redrawing ---

    def _show(self) -> None:
        profile = self._hub.session.profile.found
        self.plot.show_profile(profile)
        self.said.say(EMPTY if profile is None else self._words(profile))
        self._on_pointed(-1, -1)

    def _words(self, profile: ScaleProfile) -> str:
        slide = self._hub.session.slide
        mpp = None if slide is None else slide.mpp
        x, y = (v * (mpp or 0.0) / 1000 for v in profile.at)
        where = f"At {x:.2f}, {y:.2f} mm · {profile.encoder}"
        if profile.best is None:
            return f"{where} · {int(profile.encoded.sum())} of {len(profile.mpp)} views"
        return f"{where} · most its own at {profile.mpp[profile.best]:.2g} µm/px"

    def _on_pointed(self, row: int, col: int) -> None:
        """Show the views that the mouse is at, or the one that is most its own."""
        profile = self._hub.session.profile.found
        views: tuple[int, ...] = ()
        if profile is not None:
            best = () if profile.best is None else (profile.best,)
            views = best if row < 0 else ((row,) if row == col else (row, col))
        for label, view in zip(self._pictures, (*views, -1, -1), strict=False):
            if profile is None or view < 0 or not profile.encoded[view]:
                label.clear()
                continue
            smooth = Qt.TransformationMode.SmoothTransformation
            image = picture_of(profile.views[view]).scaledToHeight(LARGE, smooth)
            label.setPixmap(QPixmap.fromImage(image))
        self.detail.say(_detail(profile, views) or " ")


def _detail(profile: ScaleProfile | None, views: tuple[int, ...]) -> str:
    """The views shown large, in words."""
    if profile is None or not views:
        return ""
    px = profile.views.shape[1]
    each = " and ".join(
        f"{profile.mpp[v]:.2g} µm/px ({length(px * float(profile.mpp[v]))} wide)" for v in views
    )
    if len(views) == 2:
        cosine = profile.similarity[views]
        return f"{each}: cosine {cosine:.2f}" if cosine == cosine else f"{each}: not encoded yet"
    return f"{each}: most its own" if views[0] == profile.best else each


def length(um: float) -> str:
    """A length as it is written: 112 µm, 1.8 mm."""
    return f"{um:.0f} µm" if um < 1000 else f"{um / 1000:.2g} mm"
