"""`scalescope demo`: the window as a newcomer finds it, or the same by itself for pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ScaleScopeError
from ..geometry import Box
from ..sample import sample_slide_path
from ..slides import Slide, open_slide
from .contributions import EMBEDDING_MAP, EXPLORER, show_docks
from .coordinator import Coordinator

#: Longest wait for one step of the tour. The first one loads the encoder.
PATIENCE_S = 180.0


def run_demo(
    path: str | Path | None = None, screenshots: Path | None = None, slide_mpp: float | None = None
) -> None:
    """Open napari on a slide with the docks beside it.

    Parameters
    ----------
    path : Path, optional
        Default: the sample slide.
    screenshots : Path, optional
        Run the tour, write its pictures to this folder, and close.
    slide_mpp : float, optional
        µm per level-0 pixel, in place of what the file says.

    Raises
    ------
    ScaleScopeError
        If the slide cannot be opened, or a step of the tour does not come to an end.
    """
    import napari

    slide = open_slide(path or sample_slide_path(), mpp=slide_mpp)
    viewer = napari.Viewer(title=f"ScaleScope – {slide.name}", show=True)
    viewer.window.resize(1560, 960)
    docks = show_docks(viewer)
    hub = Coordinator.of(viewer)
    hub.add_slide(slide)
    viewer.canvas.overlays.scale_bar.visible = True
    if screenshots is None:
        docks[EXPLORER].parent().raise_()
        napari.run()
        return
    try:
        Tour(viewer, hub, docks, screenshots).run(slide)
    finally:
        viewer.close()


class Tour:
    """Does what a newcomer would do, waits until it is there, and takes a picture of each step.

    Parameters
    ----------
    viewer : napari.Viewer
    hub : Coordinator
    docks : dict
        The docks' widgets by name.
    folder : Path
        Where pictures and the exported regions go.
    """

    def __init__(self, viewer: Any, hub: Coordinator, docks: dict[str, Any], folder: Path) -> None:
        self._viewer, self._hub, self._docks = viewer, hub, docks
        self._folder = folder
        self._taken: list[Path] = []
        self._errors: list[str] = []
        hub.failed.connect(self._errors.append)

    def run(self, slide: Slide) -> list[Path]:
        """The whole tour; returns the pictures."""
        self._folder.mkdir(parents=True, exist_ok=True)
        session, viewport = self._hub.session, self._hub.viewport
        session.set_live(False)
        self._front(EXPLORER)
        self._settle()  # the window takes its final size
        viewport.show(slide.box, 0.95)
        self._settle()
        self._picture("whole slide")

        session.set_live(True)
        self._settle()
        place = self._interesting_place(slide)
        viewport.show(Box.around(place, *self._field(slide)))
        self._settle()
        self._picture("attention")

        session.questions.ask(*place)
        self._settle()
        self._picture("similarity after a click")

        session.show("pca")
        self._settle()
        self._picture("PCA colours")

        viewport.show(slide.box, 0.95)
        self._settle()
        session.choose_scale((self._scale_for_slide(slide),))
        session.encode_slide()
        self._settle()
        session.show("clusters")
        self._settle()
        self._picture("clusters")

        self._front(EMBEDDING_MAP)
        session.points.find()
        self._settle()
        self._lasso()
        self._settle()
        self._picture("embedding map with a lasso")

        count = session.annotations.export(self._folder / "clusters.geojson", "clusters")
        print(f"{count} cluster regions written to {self._folder / 'clusters.geojson'}")
        if self._errors:
            raise ScaleScopeError("The tour met an error: " + self._errors[0])
        return self._taken

    # --- places ---

    def _interesting_place(self, slide: Slide) -> tuple[float, float]:
        """A place deep in tissue that the encoder finds unlike the average."""
        from scipy import ndimage

        session = self._hub.session
        emb, mask = session.embeddings(), session.tissue
        if emb is None or not len(emb) or mask is None or not mask.mask.any():
            return slide.box.centre
        depth = ndimage.distance_transform_edt(np.pad(mask.mask, 1))[1:-1, 1:-1]
        rows, cols = np.nonzero(depth >= 0.5 * depth.max())
        place = mask.placement
        x, y = (place.x + (cols + 0.5) * place.cell, place.y + (rows + 0.5) * place.cell)
        unlike = np.linalg.norm(emb.vectors - np.median(emb.vectors, axis=0), axis=1)
        tiles = [emb.grid.tile_at(float(a), float(b)) or (0, 0) for a, b in zip(x, y, strict=True)]
        index = emb.index_of(tiles)
        best = int(np.where(index >= 0, unlike[index], -1).argmax())
        return float(x[best]), float(y[best])

    def _field(self, slide: Slide) -> tuple[float, float]:
        """A field of about 0.8 mm, or half of a small slide."""
        mpp = slide.require_mpp()
        side = min(800.0 / mpp, min(slide.dimensions) / 2)
        return side * 1.3, side

    def _scale_for_slide(self, slide: Slide) -> float:
        """A resolution at which the slide has some hundred tiles."""
        mpp, (w, h) = slide.require_mpp(), slide.dimensions
        tile_px = self._hub.session.tile_px
        fitting = (w * h * mpp**2 / 800) ** 0.5 / tile_px
        return float(max(mpp, 0.25 * 2 ** round(np.log2(max(fitting, 0.25) / 0.25))))

    def _lasso(self) -> None:
        """Draw around the densest part of the map, as a hand would."""
        scatter = self._docks[EMBEDDING_MAP].scatter
        projection = self._hub.session.points.found
        if projection is None:
            return
        xy = projection.xy
        spread = xy.std(0).mean()
        near = np.linalg.norm(xy[:, None] - xy[None, :400], axis=2) < spread * 0.5
        centre = xy[: near.shape[1]][near.sum(0).argmax()]
        turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        radius = spread * 0.6 * (1 + 0.12 * np.sin(3 * turn))
        scatter.select_polygon(centre + radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1))

    # --- steps ---

    def _front(self, name: str) -> None:
        self._docks[name].parent().raise_()

    def _settle(self) -> None:
        """Let the window work until nothing is loading, encoding or computing."""
        session = self._hub.session
        self._pump(0.4)  # the camera comes to rest
        if not self._pump(PATIENCE_S, lambda: session.idle and self._hub.sharp):
            raise ScaleScopeError(
                f"The tour waited {PATIENCE_S:.0f} s for: {session.status.text or 'pixels'}."
            )
        self._pump(0.4)  # the last map is drawn

    @staticmethod
    def _pump(seconds: float, until: Callable[[], bool] | None = None) -> bool:
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            if until is not None and until():
                return True
            time.sleep(0.005)
        return until is None

    def _picture(self, title: str) -> None:
        number = len(self._taken) + 1
        path = self._folder / f"{number} {title}.png".replace(" ", "_")
        self._viewer.window.screenshot(str(path), flash=False, canvas_only=False)
        self._taken.append(path)
        print(f"{title}: {path}")
