"""The Embedding map dock: every encoded tile as a point, linked to the slide both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QPoint, QTimer
from qtpy.QtGui import QCursor, QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from ..analysis.similarity import similarity, vector_at
from ..analysis.tile_map import spread
from ..geometry import IntArray
from ..session import Projection
from .coordinator import Coordinator
from .parts import Choice
from .scatter import ScatterView

if TYPE_CHECKING:
    from napari.viewer import Viewer

METHODS = {"pca": "PCA", "umap": "UMAP"}
TOOLS = {
    "pan": ("Move", "Drag to move, wheel to zoom, double-click a point to fly there"),
    "lasso": ("Lasso", "Draw around points; Shift adds, Alt takes away"),
    "box": ("Box", "Draw a box around points; Shift adds, Alt takes away"),
}


class EmbeddingMap(QWidget):
    """A scatter of the tiles encoded so far: tiles that look alike to the encoder lie together."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._hub = Coordinator.of(napari_viewer)
        self._hub.join(self)
        self.setMinimumHeight(260)
        self._shown: Projection | None = None
        self.scatter = ScatterView()
        self.scatter.empty_text = "Encode some tiles to see them here"
        self.scatter.tool = "lasso"
        self._tools = {tool: self._tool_button(tool) for tool in TOOLS}
        self._colour = Choice("Colour of the points", letters=17)
        self._colour.addItem("Colour by cluster", "clusters")
        self._colour.addItem("Colour by similarity", "similarity")
        self._colour.addItem("One colour", "plain")
        self._colour.activated.connect(lambda _: self._recolour())
        row = QHBoxLayout()
        for button in self._tools.values():
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self._colour)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(row)
        layout.addWidget(self.scatter, 1)
        self._picture = TilePicture(self)
        self._connect()
        self._show_projection()

    def _tool_button(self, tool: str) -> QToolButton:
        title, tip = TOOLS[tool]
        button = QToolButton()
        button.setText(title)
        button.setToolTip(tip)
        button.setCheckable(True)
        button.setAutoExclusive(True)
        button.setChecked(tool == self.scatter.tool)
        button.clicked.connect(lambda: setattr(self.scatter, "tool", tool))
        return button

    def _connect(self) -> None:
        main, session = self._hub.main, self._hub.session
        self.scatter.selection_changed.connect(self._on_selected)
        self.scatter.point_activated.connect(self._on_activated)
        self.scatter.point_hovered.connect(self._on_hovered)
        self.scatter.legend_clicked.connect(self._on_legend_clicked)
        self.scatter.tool_changed.connect(lambda tool: self._tools[tool].setChecked(True))
        main.on(session.points.changed, self._show_projection, self)
        main.on(session.groups.changed, self._on_clusters, self)
        main.on(session.questions.changed, self._on_query, self)
        main.on(session.selection.changed, self._show_selection, self)
        session.points.follow(True)

    # --- what the user asked for ---

    def _on_selected(self, mask: np.ndarray) -> None:
        if self._shown is not None:
            emb = self._shown.emb
            self._hub.session.selection.choose(emb.tiles[mask], emb.grid.mpp)

    def _on_activated(self, point: int) -> None:
        if self._shown is not None:
            grid = self._shown.emb.grid
            box = grid.box(*(int(v) for v in self._shown.emb.tiles[point]))
            self._hub.viewport.show(box.grown(1.5 * grid.footprint))

    def _on_hovered(self, point: int) -> None:
        slide = self._hub.session.slide
        if point < 0 or self._shown is None or slide is None:
            self._picture.hide()
            return
        emb = self._shown.emb
        box = emb.grid.box(*(int(v) for v in emb.tiles[point]))
        self._picture.show_later(lambda: slide.read(box, size=(128, 128)))

    def _on_legend_clicked(self, row: int) -> None:
        clusters = self._hub.session.groups.found
        if clusters is not None and self._shown is not None:
            self.scatter.set_selection(self._labels() == row + 1)
            self._on_selected(self._labels() == row + 1)

    # --- redrawing ---

    def _show_projection(self) -> None:
        projection = self._hub.session.points.found
        same = (
            projection is not None
            and self._shown is not None
            and projection.method == self._shown.method
            and projection.emb.key == self._shown.emb.key
        )
        self._shown = projection
        if projection is None:
            self.scatter.title = ""
            self.scatter.set_points(np.empty((0, 2), np.float32))
            return
        emb = projection.emb
        name = emb.provenance.get("encoder", {}).get("name", "")
        self.scatter.title = f"{METHODS[projection.method]} · {name} · {emb.grid.mpp:.3g} µm/px"
        self.scatter.set_points(projection.xy, keep_view=same)
        self._recolour()
        self._show_selection()

    def _labels(self) -> IntArray:
        """Cluster of each point, 0 for those in none."""
        assert self._shown is not None
        tiles, clusters = self._shown.emb.tiles, self._hub.session.groups.found
        if clusters is None or clusters.emb.key != self._shown.emb.key:
            return np.zeros(len(tiles), np.int64)
        index = clusters.emb.index_of(tiles)
        return np.where(index >= 0, clusters.labels[index], 0)

    def _on_clusters(self) -> None:
        self._colour.setCurrentIndex(self._colour.findData("clusters"))
        self._recolour()

    def _on_query(self) -> None:
        if self._hub.session.question.place is not None:
            self._colour.setCurrentIndex(self._colour.findData("similarity"))
        self._recolour()

    def _recolour(self) -> None:
        if self._shown is None:
            return
        how = self._colour.currentData()
        session, emb = self._hub.session, self._shown.emb
        self.scatter.set_legend([])
        self.scatter.set_colour_bar(None)
        if how == "similarity" and session.question.place is not None:
            vector = vector_at(emb, *session.question.place)
            if vector is not None:
                self._colour_by_score(similarity(emb.vectors, vector), "cosine")
                return
        if how == "clusters" and session.groups.found is not None:
            labels, clusters = self._labels(), session.groups.found
            table = np.array([(128, 128, 128), *clusters.colours], np.uint8)
            counts = np.bincount(labels, minlength=clusters.k + 1)
            self.scatter.set_colours(table[labels])
            self.scatter.set_legend(
                [
                    (name, colour, int(counts[i + 1]))
                    for i, (name, colour) in enumerate(
                        zip(clusters.names, clusters.colours, strict=True)
                    )
                ]
            )
            return
        self.scatter.set_colours(None)

    def _colour_by_score(self, score: np.ndarray, label: str) -> None:
        from napari.utils.colormaps import ensure_colormap

        lo, hi = spread(score, 2, 99.8)
        ramp = ensure_colormap("viridis").map(np.linspace(0, 1, 256))[:, :3]
        colours = np.rint(ramp * 255).astype(np.uint8)
        at = np.clip((score - lo) / (hi - lo) * 255, 0, 255).astype(int)
        self.scatter.set_colours(colours[at])
        self.scatter.set_colour_bar(colours, lo, hi, label)

    def _show_selection(self) -> None:
        if self._shown is None:
            return
        chosen, emb = self._hub.session.selection.found, self._shown.emb
        mask = np.zeros(len(emb), bool)
        if chosen is not None and chosen.mpp == emb.grid.mpp:
            index = emb.index_of(chosen.tiles)
            mask[index[index >= 0]] = True
        self.scatter.set_selection(mask)


class TilePicture(QLabel):
    """The picture of a tile beside the cursor, a moment after it came to rest on a point."""

    DELAY_MS = 120

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        from qtpy.QtCore import Qt

        self.setWindowFlags(Qt.WindowType.ToolTip)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(self.DELAY_MS)
        self._timer.timeout.connect(self._show)
        self._read: Any = None

    def show_later(self, read: Any) -> None:
        """Show what ``read()`` gives, (h, w, 3) uint8, unless the cursor goes on first."""
        self._read = read
        self._timer.start()

    def hide(self) -> None:
        """Show nothing."""
        self._timer.stop()
        super().hide()

    def _show(self) -> None:
        pixels = np.ascontiguousarray(self._read())
        h, w = pixels.shape[:2]
        image = QImage(pixels.tobytes(), w, h, 3 * w, QImage.Format.Format_RGB888)
        self.setPixmap(QPixmap.fromImage(image.copy()))
        self.adjustSize()
        self.move(QCursor.pos() + QPoint(16, 16))
        self.show()
