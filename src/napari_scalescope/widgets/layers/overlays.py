"""What ScaleScope lays over a slide, and what is drawn there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from ...analysis import TileMap
from ...analysis.tile_map import Kind
from ...embeddings import EmbeddingSet
from ...regions import Colour, Regions
from ...slides import Slide
from .marks import Mark, Role, is_ours, mark_of, move, raster, rescale, unit_of, vector
from .shapes import regions_of
from .slide_layers import slide_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer, Shapes

#: What layers are called when they are made.
REGIONS = "Regions"
SELECTION = "Selected tiles"
QUERY = "Query"
MAPS: tuple[Kind, ...] = get_args(Kind)
COMPUTED: tuple[Role, ...] = (*MAPS, "selection", "query")
#: What lies above the maps, from below.
TOP: tuple[Role, ...] = ("selection", "regions", "query")
#: Yellow of Okabe and Ito: stands out on haematoxylin and eosin.
HIGHLIGHT: Colour = (240, 228, 66)
#: Width of the ring around the place of the query, in screen pixels.
QUERY_PX = 22


class Layers:
    """The layers of one viewer that lie over the slide its session works on.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._slide: Slide | None = None
        self.opacity = 0.45

    def follow(self, slide: Slide | None) -> None:
        """Draw over this slide from now on; what was computed for another one goes."""
        if slide is self._slide:
            return
        self._slide = slide
        for layer, mark in self._marked():
            elsewhere = slide is None or mark.slide != slide.fingerprint
            if mark.role in COMPUTED and elsewhere and is_ours(layer, mark):
                self._viewer.layers.remove(layer)
        self.rescale()

    def rescale(self) -> None:
        """Place everything on the slide anew, because its resolution may be another now."""
        slide = self._slide
        if slide is None:
            return
        for layer, mark in self._marked():
            # The same file may be open twice, each time with a resolution of its own.
            if mark.slide == slide.fingerprint and slide_of(layer) in (None, slide):
                rescale(layer, slide)

    # --- maps ---

    def show_map(self, tile_map: TileMap | None) -> None:
        """Lay a map over the slide, or none."""
        for kind in MAPS:
            if tile_map is None or kind != tile_map.kind:
                self._hide(kind)
        if tile_map is None or self._slide is None:
            return
        known = self._find(tile_map.kind)
        if known is None:
            self._add_map(tile_map, self._slide)
        else:
            self._change_map(known, tile_map, self._slide)

    @property
    def map_layer(self) -> Layer | None:
        """The overlay that is shown now."""
        return next((layer for layer in self._maps() if layer.visible), None)

    def set_opacity(self, opacity: float) -> None:
        """Opacity of the overlays, 0 to 1."""
        self.opacity = opacity
        for layer in self._maps():
            layer.opacity = opacity

    def _maps(self) -> list[Layer]:
        return [layer for kind in MAPS if (layer := self._find(kind)) is not None]

    def _add_map(self, tile_map: TileMap, slide: Slide) -> None:
        options = {
            "name": tile_map.name,
            "opacity": self.opacity,
            **raster(tile_map.kind, slide, tile_map.placement),
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
        self._raise_drawn()
        self._activate_slide()

    def _change_map(self, layer: Any, tile_map: TileMap, slide: Slide) -> None:
        layer.name = tile_map.name
        if layer.data.shape != tile_map.values.shape or np.any(layer.data != tile_map.values):
            layer.data = tile_map.values
        move(layer, slide, tile_map.placement)
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
        if self._slide is None or emb is None or not len(tiles):
            self._hide("selection")
            return
        dimmed = np.zeros((*emb.grid.shape, 4), np.uint8)
        dimmed[..., 3] = 255
        dimmed[tiles[:, 0], tiles[:, 1], 3] = 0
        layer = self._find("selection")
        if layer is None:
            where = raster("selection", self._slide, emb.grid.placement)
            self._viewer.add_image(dimmed, rgb=True, name=SELECTION, opacity=0.65, **where)
            self._raise_drawn()
            self._activate_slide()
            return
        layer.data = dimmed
        move(layer, self._slide, emb.grid.placement)
        layer.visible = True

    def show_query(self, place: tuple[float, float] | None) -> None:
        """Mark the place a question was asked about (level-0 pixels)."""
        if self._slide is None or place is None:
            self._hide("query")
            return
        point = np.array([[place[1], place[0]]])
        size = QUERY_PX / (self._viewer.scene.camera.zoom * unit_of(self._slide))
        layer = self._find("query")
        if layer is None:
            self._viewer.add_points(
                point,
                name=QUERY,
                size=size,
                canvas_size_limits=(QUERY_PX / 2, QUERY_PX * 2),
                face_color="transparent",
                border_color=[v / 255 for v in HIGHLIGHT],
                border_width=0.2,
                **vector("query", self._slide),
            )
            self._activate_slide()
            return
        layer.data = point
        layer.size = size
        layer.visible = True

    # --- regions ---

    def regions_layer(self) -> Shapes | None:
        """The layer the slide's regions are drawn in, made when it is first needed.

        Every slide has its own, which stays when another slide is worked on. None without a
        slide.
        """
        layer = self._find("regions")
        if layer is None and self._slide is not None:
            several = any(mark.role == "regions" for _, mark in self._marked())
            layer = self._viewer.add_shapes(
                ndim=2,
                name=f"{REGIONS} – {self._slide.name}" if several else REGIONS,
                edge_color="black",
                face_color=[*(v / 255 for v in HIGHLIGHT), 0.35],
                edge_width=2,
                features={"class": np.empty(0, object)},
                **vector("regions", self._slide),
            )
        return layer

    def regions(self) -> Regions:
        """What is drawn on the slide, in level-0 pixels."""
        layer = self._find("regions")
        return Regions() if layer is None else regions_of(layer)

    # --- helpers ---

    def _find(self, role: Role) -> Any:
        """The slide's layer in a role, None where there is none."""
        if self._slide is None:
            return None
        sought = (role, self._slide.fingerprint)
        for layer, mark in self._marked():
            if (mark.role, mark.slide) == sought and is_ours(layer, mark):
                return layer
        return None

    def _marked(self) -> list[tuple[Layer, Mark]]:
        """Every layer that lies on a slide of ours, whichever."""
        return [(at, mark) for at in self._viewer.layers if (mark := mark_of(at)) is not None]

    def _hide(self, role: Role) -> None:
        layer = self._find(role)
        if layer is not None:
            layer.visible = False

    def _raise_drawn(self) -> None:
        """Keep what was drawn above what was computed."""
        for role in TOP:
            layer = self._find(role)
            if layer is not None:
                self._viewer.layers.move(self._viewer.layers.index(layer), -1)

    def _activate_slide(self) -> None:
        """Give the focus back to the slide: a click is a question about tissue."""
        for layer in self._viewer.layers:
            if self._slide is not None and slide_of(layer) is self._slide:
                self._viewer.layers.selection.active = layer
                return


def _drawn(tile_map: TileMap) -> str:
    return "linear" if tile_map.smooth else "nearest"


def _class_colours(tile_map: TileMap) -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, Any] = {None: np.zeros(4), 0: np.zeros(4)}
    for entry in tile_map.classes:
        colours[entry.value] = np.array([*(v / 255 for v in entry.colour), 1.0])
    return DirectLabelColormap(color_dict=colours)
