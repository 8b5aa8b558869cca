"""What the phantom is made of: the classes of its ground truth."""

from __future__ import annotations

from dataclasses import dataclass

from ...regions import Colour


@dataclass(frozen=True)
class TissueClass:
    """One class of the ground truth.

    Parameters
    ----------
    id : int
        Its value in a class raster.
    name : str
    colour : (int, int, int)
        To draw it in, 0 to 255 each.
    description : str
        One sentence: what it looks like.
    """

    id: int
    name: str
    colour: Colour
    description: str


#: Every class by rising id. Eight of the colours are those of Okabe and Ito (2008), given to the
#: classes that touch most; the artefacts and the background are greys and black.
CLASSES: tuple[TissueClass, ...] = (
    TissueClass(0, "background", (255, 255, 255), "Glass without tissue, with a little dust."),
    TissueClass(1, "stroma", (240, 228, 66), "Wavy collagen with spindle-shaped fibroblasts."),
    TissueClass(2, "gland", (0, 158, 115), "Columnar epithelium with basal nuclei around a lumen."),
    TissueClass(3, "lymphoid", (0, 114, 178), "Aggregates of lymphocytes: small, round and dark."),
    TissueClass(
        4, "tumour", (213, 94, 0), "Nests of large pleomorphic nuclei, some of them in mitosis."
    ),
    TissueClass(
        5, "necrosis", (120, 94, 240), "Granular eosinophilic debris with ghosts of nuclei."
    ),
    TissueClass(6, "adipose", (230, 159, 0), "Fat cells: empty polygons with thin membranes."),
    TissueClass(7, "mucin", (86, 180, 233), "Pools of pale blue-grey, stringy mucus."),
    TissueClass(
        8, "vessel", (204, 121, 167), "Endothelium and smooth muscle around red blood cells."
    ),
    TissueClass(9, "fold", (90, 90, 90), "Tissue that lies double and looks dark."),
    TissueClass(10, "pen", (0, 0, 0), "Ink of a marker on the glass."),
)

BACKGROUND = CLASSES[0].id
ID = {c.name: c.id for c in CLASSES}
