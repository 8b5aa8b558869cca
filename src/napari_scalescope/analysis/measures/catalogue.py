"""What every number is called, where it comes from and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", None]


@dataclass(frozen=True)
class Measure:
    """One number, as it is shown to somebody who has not heard of it.

    Parameters
    ----------
    name : str
    meaning : str
        In one sentence.
    low, high : float
        What it can be at the least and at the most.
    better : "higher", "lower" or None
        Which end is wished for; None where neither is.
    source : str
        Where it was proposed.
    unit : str
    pairs : bool
        Whether it compares two encoders (or one at two resolutions) rather than describing one.
    """

    name: str
    meaning: str
    low: float
    high: float
    better: Better
    source: str
    unit: str = ""
    pairs: bool = False

    @property
    def tooltip(self) -> str:
        """Meaning, range and source."""
        wish = {"higher": ", higher is better", "lower": ", lower is better", None: ""}
        ends = f"{self.low:g} to {'any' if self.high == float('inf') else f'{self.high:g}'}"
        return f"{self.meaning} Range {ends}{wish[self.better]}. {self.source}"


MEASURES: dict[str, Measure] = {
    "cka": Measure(
        "Linear CKA",
        "How alike two encoders arrange the same tiles, whatever way each turns or scales its "
        "space; 0 is no more than chance.",
        -1, 1, None,
        "Kornblith et al. 2019, debiased as in Song et al. 2012.",
        pairs=True,
    ),
    "rsa": Measure(
        "RSA",
        "Whether pairs of tiles that one encoder finds unlike are also unlike to the other "
        "(rank correlation of all distances).",
        -1, 1, None,
        "Kriegeskorte et al. 2008.",
        pairs=True,
    ),
    "neighbours": Measure(
        "Neighbour overlap",
        "Of the tiles most like a tile to one encoder, the share that is so to the other as well.",
        0, 1, None,
        "Mutual k-nearest neighbours, Huh et al. 2024.",
        pairs=True,
    ),
    "ari": Measure(
        "Cluster agreement (ARI)",
        "Whether two encoders sort the tiles into the same groups; 0 is chance, 1 the same.",
        -0.5, 1, None,
        "Hubert and Arabie 1985.",
        pairs=True,
    ),
    "ami": Measure(
        "Cluster agreement (AMI)",
        "How much the groups of one encoder tell of the groups of the other; 0 is chance.",
        -1, 1, None,
        "Vinh et al. 2010.",
        pairs=True,
    ),
    "rank": Measure(
        "Effective rank",
        "How many directions of its space an encoder really uses on these tiles.",
        1, float("inf"), None,
        "Roy and Vetterli 2007.",
    ),
    "hubness": Measure(
        "Hubness",
        "Whether a few tiles turn up as a neighbour of nearly everything, which spoils searches.",
        -1, float("inf"), "lower",
        "Skewness of the k-occurrence, Radovanović et al. 2010.",
    ),
    "uniformity": Measure(
        "Uniformity",
        "How evenly the tiles spread over all directions; near 0 they crowd into one.",
        -8, 0, "lower",
        "Wang and Isola 2020.",
    ),
}  # fmt: skip
"""Every measure by its key."""
