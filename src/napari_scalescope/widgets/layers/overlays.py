"""What ScaleScope lays over a slide, and what is drawn there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from ...analysis import TileMap
from ...analysis.tile_map import Kind
from ...embeddings import EmbeddingSet
from ...regions import Colour, Regions
from ...session import Area, Question, Spot
from ...session.asking import Example
from ...slides import Slide
from .marks import Mark, Role, is_ours, mark_of, move, raster, rescale, unit_of, vector
from .shapes import keyhole, polygons_of, regions_of
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
#: Vermilion of Okabe and Ito, for what is not looked for. The shape says it too.
AGAINST: Colour = (213, 94, 0)
#: Steps of the colours of a map with a threshold, and how opaque those below it are.
STEPS, DIMMED = 512, 0.12
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
                colormap=_score_colours(tile_map),
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
            colours = _score_colours(tile_map)
            if layer.colormap.name != colours.name:
                layer.colormap = colours
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

    def show_examples(self, question: Question, hit: tuple[float, float] | None = None) -> None:
        """Mark what a question asks about, and the answer that is looked at (level-0 pixels).

        By shape: rings for what is looked for, crosses for what is not, a diamond for the answer.
        """
        marks = [(at, "disc") for e in question.positives if (at := _place_of(e)) is not None]
        marks += [(at, "x") for e in question.negatives if (at := _place_of(e)) is not None]
        marks += [(hit, "diamond")] if hit is not None else []
        if self._slide is None or not marks:
            self._hide("query")
            return
        points = np.array([[y, x] for (x, y), _ in marks])
        size = QUERY_PX / (self._viewer.scene.camera.zoom * unit_of(self._slide))
        filled = [*(v / 255 for v in AGAINST), 1.0]
        ring = [*(v / 255 for v in HIGHLIGHT), 1.0]
        how = {
            "symbol": [symbol for _, symbol in marks],
            "size": np.full(len(marks), size),
            "face_color": np.array([filled if s == "x" else [0.0] * 4 for _, s in marks]),
            "border_color": np.array([[0, 0, 0, 1] if s == "x" else ring for _, s in marks]),
            "border_width": np.array([0.08 if s == "x" else 0.2 for _, s in marks]),
        }
        layer = self._find("query")
        if layer is None:
            self._viewer.add_points(
                points,
                name=QUERY,
                canvas_size_limits=(QUERY_PX / 2, QUERY_PX * 2),
                **how,
                **vector("query", self._slide),
            )
            self._activate_slide()
            return
        layer.data = points
        for name, value in how.items():
            setattr(layer, name, value)
        layer.selected_data = set()
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

    def add_regions(self, regions: Regions) -> None:
        """Add outlines to what is drawn on the slide; holes are kept."""
        layer = self.regions_layer()
        if layer is None or not len(regions):
            return
        rings, labels = [], []
        for region in regions:
            for polygon in polygons_of(region.geometry):
                rings.append(keyhole(polygon))
                labels.append(region.label)
        layer.feature_defaults["class"] = labels[0] if labels else ""
        # Not filled: what was found is coloured by the map, and napari fills holes badly.
        layer.add_polygons(rings, face_color="transparent")
        layer.features.loc[layer.features.index[-len(labels) :], "class"] = labels
        layer.feature_defaults["class"] = ""
        self._activate_slide()

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


def _place_of(example: Example) -> tuple[float, float] | None:
    """Where to mark it, None for what is not on the slide."""
    spot = example.inside if isinstance(example, Area) else example
    return (spot.x, spot.y) if isinstance(spot, Spot) else None


def _score_colours(tile_map: TileMap) -> Any:
    """The colours of scores, nearly transparent below the threshold."""
    from napari.utils.colormaps import Colormap, ensure_colormap

    whole = ensure_colormap(tile_map.colormap)
    if tile_map.threshold is None:
        return whole
    colours = whole.map(np.linspace(0, 1, STEPS))
    lo, hi = tile_map.limits
    below = np.linspace(lo, hi, STEPS) < tile_map.threshold
    colours[below, 3] = DIMMED
    name = f"{tile_map.colormap} from {int(below.sum())} of {STEPS}"
    return Colormap(colours, name=name, display_name=tile_map.colormap, interpolation="zero")


def _class_colours(tile_map: TileMap) -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, Any] = {None: np.zeros(4), 0: np.zeros(4)}
    for entry in tile_map.classes:
        colours[entry.value] = np.array([*(v / 255 for v in entry.colour), 1.0])
    return DirectLabelColormap(color_dict=colours)
