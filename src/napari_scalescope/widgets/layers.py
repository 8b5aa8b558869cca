"""Values into layers and back. The one place that makes or changes napari layers.

Every layer carries its scale in µm (level-0 pixels where the resolution is unknown) and the
half-pixel translation of `geometry.Placement`, so that all of them agree to a fraction of a
pixel. Layers are changed in place, never removed and added again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from ..analysis import TileMap
from ..embeddings import EmbeddingSet
from ..geometry import Placement
from ..regions import Colour, Region, Regions
from ..slides import Slide
from ..slides.pyramid import Pyramid

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer, Shapes

#: Key of a layer's metadata under which its slide and pyramid are found.
METADATA = "scalescope"
REGIONS = "Regions"
SELECTION = "Selected tiles"
QUERY = "Query"
#: Yellow of Okabe and Ito: stands out on haematoxylin and eosin.
HIGHLIGHT: Colour = (240, 228, 66)
#: Width of the ring around the place of the query, in screen pixels.
QUERY_PX = 22


def units(slide: Slide) -> tuple[str, str]:
    """Units of the world axes: µm, or pixels for a slide of unknown resolution.

    napari ignores the units of all layers when one differs, so every layer gets these.
    """
    return ("pixel", "pixel") if slide.mpp is None else ("µm", "µm")


def placed(placement: Placement, slide: Slide) -> dict[str, Any]:
    """``scale``, ``translate`` and ``units`` of a raster layer."""
    return {**placement.napari(slide.mpp), "units": units(slide)}


def slide_layer(slide: Slide, cache_mb: int = 512) -> tuple[Any, dict[str, Any], str]:
    """A slide as napari layer data: lazily read levels, placed in µm."""
    pyramid = Pyramid(slide, max_bytes=cache_mb << 20)
    # The overview is what is seen first. Most files have it within a few milliseconds.
    pyramid.wait(0.5)
    options = {
        "name": slide.name,
        "rgb": True,
        "multiscale": True,
        "axis_labels": ("y", "x"),
        "metadata": {METADATA: {"slide": slide, "pyramid": pyramid}},
        **placed(Placement(0.0, 0.0, 1.0), slide),
    }
    return pyramid.levels, options, "image"


def slide_of(layer: Layer) -> Slide | None:
    """The slide a layer shows, None for any other layer."""
    found = layer.metadata.get(METADATA)
    return found["slide"] if isinstance(found, dict) and "slide" in found else None


class Sharpener(QObject):
    """Has a slide layer read again when better pixels have arrived, 16 times a second at most."""

    _arrived = Signal()

    def __init__(self, layer: Image, interval_ms: int = 60) -> None:
        super().__init__()
        self._layer = layer
        self._pyramid: Pyramid = layer.metadata[METADATA]["pyramid"]
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self._refresh)
        self._arrived.connect(self._start)
        self._pyramid.on_arrival = self._arrived.emit
        if not self._pyramid.idle:
            self._start()

    def _start(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _refresh(self) -> None:
        self._layer.refresh(extent=False, thumbnail=False, highlight=False)

    @property
    def idle(self) -> bool:
        """Whether all pixels asked for have arrived."""
        return self._pyramid.idle

    def close(self) -> None:
        """Stop, and let the pyramid's threads go."""
        self._timer.stop()
        self._pyramid.on_arrival = None
        self._pyramid.close()


class Layers:
    """The layers of one viewer that belong to ScaleScope.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._slide: Slide | None = None
        self._maps: dict[str, Layer] = {}
        self.opacity = 0.45

    def follow(self, slide: Slide | None) -> None:
        """Draw over this slide from now on; what lay over another one goes."""
        if slide is self._slide:
            return
        self._slide = slide
        for layer in [*self._maps.values(), *self._named(SELECTION), *self._named(QUERY)]:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._maps.clear()

    def rescale(self) -> None:
        """Place every layer anew, because the slide's resolution is another now."""
        slide = self._slide
        if slide is None:
            return
        unit = slide.mpp or 1.0
        for layer in self._viewer.layers:
            if slide_of(layer) is slide:
                where = placed(Placement(0.0, 0.0, 1.0), slide)
                layer.scale, layer.translate = where["scale"], where["translate"]
            elif layer.name in (REGIONS, QUERY):
                layer.scale = (unit, unit)
            elif layer in self._maps.values() or layer.name == SELECTION:
                layer.visible = False  # until it is computed for the new scale
            layer.units = units(slide)

    # --- maps ---

    def show_map(self, tile_map: TileMap | None) -> None:
        """Lay a map over the slide, or none."""
        kind = None if tile_map is None else tile_map.kind
        for other, layer in self._maps.items():
            if other != kind:
                layer.visible = False
        if tile_map is None or self._slide is None:
            return
        known = self._maps.get(tile_map.kind)
        if known is None or known not in self._viewer.layers:
            self._maps[tile_map.kind] = self._add_map(tile_map)
        else:
            self._change_map(known, tile_map)

    @property
    def map_layer(self) -> Layer | None:
        """The overlay that is shown now."""
        return next((layer for layer in self._maps.values() if layer.visible), None)

    def set_opacity(self, opacity: float) -> None:
        """Opacity of the overlays, 0 to 1."""
        self.opacity = opacity
        for layer in self._maps.values():
            layer.opacity = opacity

    def _add_map(self, tile_map: TileMap) -> Layer:
        assert self._slide is not None
        options = {
            "name": tile_map.name,
            "opacity": self.opacity,
            **placed(tile_map.placement, self._slide),
        }
        if tile_map.kind == "class":
            layer = self._viewer.add_labels(
                tile_map.values, colormap=_class_colours(tile_map), **options
            )
            layer.editable = False
        elif tile_map.kind == "colour":
            layer = self._viewer.add_image(
                tile_map.values, rgb=True, interpolation2d=_drawn(tile_map), **options
            )
        else:
            layer = self._viewer.add_image(
                tile_map.values,
                colormap=tile_map.colormap,
                contrast_limits=tile_map.limits,
                blending="translucent",
                interpolation2d=_drawn(tile_map),
                **options,
            )
            layer.colorbar.visible = True
        self._raise_regions()
        self._activate_slide()
        return layer

    def _change_map(self, layer: Any, tile_map: TileMap) -> None:
        assert self._slide is not None
        layer.name = tile_map.name
        if layer.data.shape != tile_map.values.shape or np.any(layer.data != tile_map.values):
            layer.data = tile_map.values
        where = placed(tile_map.placement, self._slide)
        layer.scale, layer.translate = where["scale"], where["translate"]
        if tile_map.kind == "class":
            layer.colormap = _class_colours(tile_map)
        elif tile_map.kind == "score":
            if layer.colormap.name != tile_map.colormap:
                layer.colormap = tile_map.colormap
            layer.contrast_limits = tile_map.limits
        if tile_map.kind != "class":
            layer.interpolation2d = _drawn(tile_map)
        layer.visible = True

    # --- selection and query ---

    def show_selection(self, emb: EmbeddingSet | None, tiles: Any) -> None:
        """Make tiles of a grid stand out by dimming all others; an empty selection dims none.

        A colour laid over the selected tiles would hide whichever overlay they were found by.
        """
        layer: Any = next(iter(self._named(SELECTION)), None)
        if self._slide is None or emb is None or not len(tiles):
            if layer is not None:
                layer.visible = False
            return
        raster = np.zeros((*emb.grid.shape, 4), np.uint8)
        raster[..., 3] = 255
        raster[tiles[:, 0], tiles[:, 1], 3] = 0
        where = placed(emb.grid.placement, self._slide)
        if layer is None:
            self._viewer.add_image(raster, rgb=True, name=SELECTION, opacity=0.65, **where)
            self._raise_regions()
            self._activate_slide()
            return
        layer.data = raster
        layer.scale, layer.translate = where["scale"], where["translate"]
        layer.visible = True

    def show_query(self, place: tuple[float, float] | None) -> None:
        """Mark the place a question was asked about (level-0 pixels)."""
        layer: Any = next(iter(self._named(QUERY)), None)
        if self._slide is None or place is None:
            if layer is not None:
                layer.visible = False
            return
        unit = self._slide.mpp or 1.0
        point = np.array([[place[1], place[0]]])
        size = QUERY_PX / (self._viewer.scene.camera.zoom * unit)
        if layer is None:
            layer = self._viewer.add_points(
                point,
                name=QUERY,
                size=size,
                canvas_size_limits=(QUERY_PX / 2, QUERY_PX * 2),
                face_color="transparent",
                border_color=[v / 255 for v in HIGHLIGHT],
                border_width=0.2,
                scale=(unit, unit),
                units=units(self._slide),
            )
            self._activate_slide()
            return
        layer.data = point
        layer.size = size
        layer.visible = True

    # --- regions ---

    def regions_layer(self) -> Shapes:
        """The layer regions are drawn in, made when it is first needed."""
        layer: Any = next(iter(self._named(REGIONS)), None)
        if layer is None:
            unit = (self._slide.mpp if self._slide else None) or 1.0
            # Vertices are level-0 pixels as they are: a vertex is a point, not a pixel.
            layer = self._viewer.add_shapes(
                ndim=2,
                name=REGIONS,
                scale=(unit, unit),
                units=units(self._slide) if self._slide else None,
                edge_color="black",
                face_color=[*(v / 255 for v in HIGHLIGHT), 0.35],
                edge_width=2,
                features={"class": np.empty(0, object)},
            )
        return layer

    def regions(self) -> Regions:
        """What is drawn in the regions layer, in level-0 pixels."""
        layer: Any = next(iter(self._named(REGIONS)), None)
        return Regions() if layer is None else regions_of(layer)

    # --- helpers ---

    def _named(self, name: str) -> list[Layer]:
        return [layer for layer in self._viewer.layers if layer.name == name]

    def _raise_regions(self) -> None:
        """Keep what was drawn above what was computed."""
        for name in (SELECTION, REGIONS, QUERY):
            for layer in self._named(name):
                self._viewer.layers.move(self._viewer.layers.index(layer), -1)

    def _activate_slide(self) -> None:
        """Give the focus back to the slide: a click is a question about tissue."""
        for layer in self._viewer.layers:
            if slide_of(layer) is self._slide and self._slide is not None:
                self._viewer.layers.selection.active = layer


def _drawn(tile_map: TileMap) -> str:
    return "linear" if tile_map.smooth else "nearest"


def _class_colours(tile_map: TileMap) -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, Any] = {None: np.zeros(4), 0: np.zeros(4)}
    for entry in tile_map.classes:
        colours[entry.value] = np.array([*(v / 255 for v in entry.colour), 1.0])
    return DirectLabelColormap(color_dict=colours)


def regions_of(layer: Shapes) -> Regions:
    """The polygons, rectangles and ellipses of a Shapes layer as regions (level-0 pixels).

    Lines and paths enclose nothing and are left out. Outlines that cross themselves are mended.
    """
    import shapely

    found = []
    for i, (data, kind) in enumerate(zip(layer.data, layer.shape_type, strict=True)):
        if kind in ("line", "path"):
            continue
        corners = np.asarray(data)[:, -2:][:, ::-1]
        if kind == "ellipse":
            corners = _ellipse(corners)
        polygon = shapely.make_valid(shapely.Polygon(corners))
        if not polygon.is_empty:
            label = str(layer.features["class"].iloc[i] or "") if "class" in layer.features else ""
            found.append(Region(polygon, label="" if label == "nan" else label))
    return Regions(found)


def _ellipse(corners: np.ndarray, n: int = 64) -> np.ndarray:
    """The outline of an ellipse given by the corners of the box around it."""
    centre = corners.mean(0)
    a, b = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)[:, None]
    return centre + np.cos(t) * a + np.sin(t) * b
