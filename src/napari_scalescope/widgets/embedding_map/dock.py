"""The dock: points, colours and panes wired to the session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from ...analysis.projection import Method
from ...errors import ScaleScopeError
from ...geometry import Box
from ...session import Projection
from ...session.findings import Coloured
from ..contact_sheet import ContactSheet
from ..coordinator import Coordinator
from ..scatter import ScatterView
from ..scatter.outline import Mode
from ..tile_reader import Tile
from .cluster_table import ClusterTable
from .hover import TilePicture
from .paint import Paint, paint
from .panes import Panes
from .points import Points, is_of
from .toolbar import METHODS, Toolbar

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: So many tiles of a selection are shown, spread evenly over it: nobody looks through more.
SHEET = 400


class EmbeddingMap(QWidget):
    """A scatter of the tiles encoded so far: tiles that look alike to the encoder lie together."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self._hub = Coordinator.of(napari_viewer)
        self._hub.join(self)
        self.setMinimumHeight(260)
        self._points = Points()
        self._coloured: Coloured | None = None
        self._paint: Paint | None = None
        self._hidden: set[str] = set()
        self._sheet_points: npt.NDArray[np.intp] = np.empty(0, np.intp)
        self.scatter = ScatterView()
        self.scatter.empty_text = "Encode some tiles to see them here"
        self.scatter.tool = "lasso"
        self.toolbar, self.sheet, self.table = Toolbar(), ContactSheet(), ClusterTable()
        self.toolbar.show_tool("lasso")
        points = self._hub.session.points
        self.toolbar.show_layout(points.method, points.together)
        self.panes = Panes(self.scatter, {"tiles": self.sheet, "clusters": self.table})
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.toolbar)
        layout.addWidget(self.panes, 1)
        self._picture = TilePicture(self)
        self._connect()
        self._show_projection()
        self._show_clusters()

    def _connect(self) -> None:
        main, session = self._hub.main, self._hub.session
        self.scatter.selection_changed.connect(self._on_selected)
        self.scatter.point_activated.connect(self._fly_to)
        self.scatter.point_hovered.connect(self._on_hovered)
        self.scatter.legend_clicked.connect(self._on_legend_clicked)
        self.scatter.legend_toggled.connect(self._on_legend_toggled)
        self.scatter.tool_changed.connect(self.toolbar.show_tool)
        self.toolbar.tool_chosen.connect(lambda tool: setattr(self.scatter, "tool", tool))
        self.toolbar.mode_chosen.connect(lambda mode: setattr(self.scatter, "mode", mode))
        self.toolbar.selection_asked.connect(self._on_whole)
        self.toolbar.column_chosen.connect(session.colouring.choose)
        self.toolbar.pane_chosen.connect(self._on_pane)
        self.toolbar.asked.connect(self._on_asked)
        self.toolbar.method_chosen.connect(self._on_method)
        self.toolbar.together_toggled.connect(self._on_together)
        self.sheet.activated.connect(lambda i: self._fly_to(int(self._sheet_points[i])))
        self.table.chosen.connect(self._on_clusters_chosen)
        self.table.renamed.connect(session.groups.rename)
        self.table.recoloured.connect(session.groups.recolour)
        self.table.toggled.connect(self._on_cluster_toggled)
        self.table.opened.connect(self._on_cluster_opened)
        main.on(session.points.changed, self._show_projection, self)
        main.on(session.groups.changed, self._show_clusters, self)
        main.on(session.colouring.changed, self._show_colours, self)
        main.on(session.selection.changed, self._show_selection, self)
        session.points.follow(True)
        session.colouring.refresh()

    # --- what the user asked for ---

    def _on_selected(self, mask: npt.NDArray[np.bool_]) -> None:
        self._points.choose(mask, self._hub.session)
        self._show_sheet()
        self.table.show_selected(self._whole_clusters(mask))

    def _on_whole(self, what: str) -> None:
        scatter = self.scatter
        {
            "all": scatter.select_all,
            "invert": scatter.invert_selection,
            "none": scatter.clear_selection,
        }[what]()

    def _fly_to(self, point: int) -> None:
        tile = self._points.tile(point, self._hub.session.slide)
        if tile is not None:
            self._hub.viewport.show(tile.box.grown(1.5 * tile.box.w))

    def _on_hovered(self, point: int) -> None:
        if point < 0:
            self._picture.hide()
            return
        tile = self._points.tile(point, self._hub.session.slide)
        self._picture.show_later(tile, self._said_of(point))

    def _said_of(self, point: int) -> str:
        """A line on one point: what it is coloured by, or where it is."""
        line = self._points.said(point)
        if self._coloured is None or self._paint is None:
            return line
        column = self._coloured.column
        if column.kind == "number" and np.isfinite(column.values[point]):
            return f"{column.name} {column.values[point]:.3g} {column.unit}".strip()
        if column.kind == "class":
            name = next((c.name for c in column.classes if c.value == column.values[point]), "")
            return name or line
        return line

    def _on_legend_clicked(self, row: int, mode: Mode) -> None:
        if self._paint is not None:
            value = self._paint.rows[row][0].value
            self.scatter.choose(self._paint.values == value, mode)

    def _on_legend_toggled(self, row: int) -> None:
        if self._paint is not None:
            self._hidden ^= {self._paint.rows[row][0].name}
            self._show_hidden()

    def _on_method(self, method: Method) -> None:
        self._hub.session.points.choose(method=method)

    def _on_together(self, together: bool) -> None:
        self._hub.session.points.choose(together=together)

    def _on_asked(self, what: str) -> None:
        if what == "fit":
            self.scatter.fit()
        elif what == "unhide":
            self._hidden.clear()
            self._show_hidden()
        else:
            self._choose_file()

    def _choose_file(self) -> None:
        slide = self._hub.session.slide
        folder = slide.path.parent if slide is not None and slide.path else Path.home()
        path, _ = QFileDialog.getSaveFileName(
            self,
            "Save the map",
            str(folder / "embedding map.png"),
            "PNG (*.png);;SVG (*.svg)",
        )
        if path:
            self.save_picture(path)

    def save_picture(self, path: str | Path) -> None:
        """Write the map with its legend as PNG or SVG, whichever the suffix says."""
        try:
            if Path(path).suffix.lower() == ".svg":
                self.scatter.to_svg(path)
            else:
                self.scatter.to_png(Path(path).with_suffix(".png"))
        except ScaleScopeError as error:
            self._hub.failed.emit(str(error))

    def _on_pane(self, pane: str) -> None:
        self.panes.show_pane(pane)
        self._show_sheet()

    # --- clusters ---

    def _on_clusters_chosen(self, labels: list[int]) -> None:
        self.scatter.choose(np.isin(self._points.labels(self._hub.session), labels))

    def _whole_clusters(self, mask: npt.NDArray[np.bool_]) -> list[int]:
        """The clusters that are selected, all of them and nothing else."""
        labels = self._points.labels(self._hub.session)
        if not mask.any() or not labels.any():
            return []
        inside, all_ = np.bincount(labels[mask]), np.bincount(labels)
        some = np.flatnonzero(inside)
        return [] if (inside[some] < all_[some]).any() or some[0] == 0 else some.tolist()

    def _on_cluster_toggled(self, label: int) -> None:
        session = self._hub.session
        clusters = session.groups.found
        if clusters is None:
            return
        if session.colouring.key != "clusters":
            session.colouring.choose("clusters")
        self._hidden ^= {clusters.names[label - 1]}
        self._show_hidden()

    def _on_cluster_opened(self, label: int) -> None:
        box = next(row.box for row in self.table.rows if row.label == label)
        self._hub.viewport.show(Box(*box).grown(1.5 * box.w))

    def _show_clusters(self) -> None:
        session = self._hub.session
        rows, slide = session.groups.table(), session.slide
        own = [is_of(row.emb, slide) for row in rows]
        tiles = [
            Tile(slide, row.box) if slide is not None and here else None
            for row, here in zip(rows, own, strict=True)
        ]
        self.table.show_rows(rows, tiles)
        self.table.show_hidden(self._hidden_clusters())

    def _hidden_clusters(self) -> set[int]:
        return {row.label for row in self.table.rows if row.name in self._hidden}

    # --- redrawing ---

    def _show_projection(self) -> None:
        projection = self._hub.session.points.found
        same = self._points.same_as(projection)
        self._points = Points(projection)
        self._coloured = self._paint = None
        if projection is None:
            self.scatter.title = ""
            self.scatter.set_legend([])
            self.scatter.set_colour_bar(None)
            self.scatter.set_points(np.empty((0, 2), np.float32))
            self._show_sheet()
            return
        self.scatter.title = self._title(projection)
        self.scatter.set_points(projection.xy, keep_view=same and self.scatter.moved)
        self._show_colours()
        self._show_selection()

    def _title(self, projection: Projection) -> str:
        return f"{METHODS[projection.method]} · {self._points.title}"

    def _show_colours(self) -> None:
        colouring = self._hub.session.colouring
        found = colouring.found
        fits = found is not None and found.projection is self._hub.session.points.found
        legend = found.column.legend if found is not None and fits else ""
        self.toolbar.show_columns(colouring.titles, colouring.key, legend)
        if found is None or not fits or len(found.column.values) != len(self._points):
            return  # those of these points are on their way
        if self._coloured is not None and self._coloured.key != found.key:
            self._hidden.clear()
        self._coloured, made = found, paint(found.column)
        self._paint = made
        self.scatter.set_colours(made.colours)
        bar = made.bar
        if bar is None:
            self.scatter.set_colour_bar(None)
        else:
            self.scatter.set_colour_bar(bar.colours, bar.low, bar.high, bar.label)
        nothing = made.colours is None and found.key != "plain"
        self.scatter.note = legend if nothing else ""
        self._show_hidden()

    def _show_hidden(self) -> None:
        made = self._paint
        if made is None:
            return
        hidden = {i for i, (c, _) in enumerate(made.rows) if c.name in self._hidden}
        values = [made.rows[i][0].value for i in hidden]
        self.scatter.set_hidden(np.isin(made.values, values) if values else None)
        legend = [(c.name, c.colour, count) for c, count in made.rows]
        self.scatter.set_legend(legend, hidden=hidden)
        self.toolbar.show_hidden(bool(hidden))
        self.table.show_hidden(self._hidden_clusters())

    def _show_selection(self) -> None:
        mask = self._points.selected(self._hub.session, self.scatter.selection)
        self.scatter.set_selection(mask)
        self.table.show_selected(self._whole_clusters(mask))
        self._show_sheet()

    def _show_sheet(self) -> None:
        if self.panes.shown != "tiles":
            return
        slide, mask = self._hub.session.slide, self.scatter.selection
        chosen = np.flatnonzero(mask)
        number = self._coloured is not None and self._coloured.column.kind == "number"
        if number and self._coloured is not None:  # the highest first
            values = np.nan_to_num(self._coloured.column.values[chosen], nan=-np.inf)
            chosen = chosen[np.argsort(-values, kind="stable")]
        some = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), SHEET)).astype(np.intp)]
        tiles = [(point, self._points.tile(int(point), slide)) for point in some]
        there = [(point, tile) for point, tile in tiles if tile is not None]
        if not there or slide is None:
            self._sheet_points = np.empty(0, np.intp)
            away = "They are of slides that are not open." if len(some) else ""
            self.sheet.clear(away or "Select points to see their tiles here.")
            return
        self._sheet_points = np.array([point for point, _ in there], np.intp)
        lines = [self._said_of(int(point)).removesuffix(" mm") for point, _ in there]
        n = len(chosen)
        title = f"{n:,} selected" if len(there) == n else f"{len(there):,} of {n:,} selected"
        self.sheet.show_tiles(slide, [tile.box for _, tile in there], lines, title)
