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
    "agreement": Measure(
        "Agreement across scales",
        "How far the vector of a coarse tile is the mean of the fine ones under it; read which is "
        "higher, not how high.",
        -1, 1, "higher",
        "Cosine without each scale's mean; global alignment of XMAG, 2025.",
        pairs=True,
    ),
    "same place": Measure(
        "Same place found",
        "The share of coarse tiles that find their own place among all places of a finer scale.",
        0, 1, "higher",
        "First rank by cosine without each scale's mean; cross-scale view pairs of DaX.",
        pairs=True,
    ),
    "balanced_accuracy": Measure(
        "Balanced accuracy",
        "Share of my labels recognised from frozen features on tissue that was not learnt from, "
        "every class counting alike.",
        0, 1, "higher",
        "Spatially blocked cross validation, Roberts et al. 2017.",
    ),
    "macro_f1": Measure(
        "Macro F1",
        "Like balanced accuracy, and false alarms count too.",
        0, 1, "higher",
        "Mean over classes of the harmonic mean of precision and recall.",
    ),
    "auc": Measure(
        "AUC",
        "How often a tile of a class gets more of it than a tile of another class.",
        0, 1, "higher",
        "Area under the curve, mean of every class against the rest.",
    ),
    "p": Measure(
        "p",
        "How likely as great a distance to the best encoder is where there is none.",
        0, 1, None,
        "McNemar 1947 for accuracy, DeLong et al. 1988 for AUC.",
        pairs=True,
    ),
    "drift": Measure(
        "Drift",
        "How far vectors move under a change that should not matter: 0 not at all, 1 as far as "
        "another tile is.",
        0, float("inf"), "lower",
        "Mean 1 - cosine, in units of that between different tiles.",
    ),
    "speed": Measure(
        "Speed",
        "Tiles encoded per second on this machine, without reading them.",
        0, float("inf"), "higher",
        "Median of three rounds.",
        unit="tiles/s",
    ),
}  # fmt: skip
"""Every measure by its key."""


def measure_of(key: str) -> Measure:
    """The measure that a number's key names: "auc, kNN" is `MEASURES["auc"]`."""
    return MEASURES[key.partition(",")[0]]
