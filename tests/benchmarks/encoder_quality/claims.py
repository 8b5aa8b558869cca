"""What the encoder is said to do, and whether the figures bear it out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from napari_scalescope.analysis.probe import METRICS
from napari_scalescope.analysis.probe.bootstrap import Score

from .drift import ROTATION, STAINS
from .scales import TREATMENTS

COLOUR, MOBILENET = "colour", "mobilenet"
#: A drift claim holds where it is surely below this share of MobileNet's.
HALF = 0.5
PARTS = {"tile": "whole tiles", "part": "parts of tiles"}


@dataclass(frozen=True)
class Claim:
    """A sentence about one encoder, and whether it holds with its interval."""

    encoder: str
    text: str
    holds: bool
    detail: str

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def claims(results: dict[str, Any], twins: dict[str, str]) -> list[Claim]:
    """Every claim that the results can speak to.

    Parameters
    ----------
    results : dict
        By the name of the part: what its ``run`` returned.
    twins : dict of str
        For each encoder under test the name of its untrained twin.
    """
    found: list[Claim] = []
    for encoder, twin in twins.items():
        if "classification" in results:
            found += _labels(encoder, (twin, COLOUR), results["classification"])
        if "scales" in results:
            found += _scales(encoder, results["scales"])
        if "drift" in results:
            found += _drift(encoder, results["drift"])
    return found


def _labels(encoder: str, baselines: tuple[str, ...], found: dict[str, Any]) -> Iterator[Claim]:
    for metric in METRICS:
        for baseline in baselines:
            sets = {
                title: _difference(one["scores"][metric], encoder, baseline)
                for title, one in found["sets"].items()
            }
            # Where the baseline is at 1.0, "every set" is out of anyone's reach.
            fair = {t: d for t, d in sets.items() if not found["sets"][t]["confounded"]}
            for which, members in (("every set", sets), ("every set but the confounded", fair)):
                failing = [f"{title} {_show(d)}" for title, d in members.items() if d.low <= 0]
                yield Claim(
                    encoder,
                    f"{metric}: above {baseline} on {which}",
                    not failing,
                    f"not on {'; '.join(failing)}" if failing else f"on all {len(members)}",
                )
            for title, scores in found["means"].items():
                d = _difference(scores[metric], encoder, baseline)
                text = f"{metric}: above {baseline} on the {title}"
                yield Claim(encoder, text, d.low > 0, _show(d))


def _scales(encoder: str, found: dict[str, Any]) -> Iterator[Claim]:
    for part, title in PARTS.items():
        if encoder not in found[part] or MOBILENET not in found[part]:
            continue
        for treatment in TREATMENTS:
            mine, other = (found[part][n]["means"][treatment] for n in (encoder, MOBILENET))
            d = mine["top-1"] - other["top-1"]
            text = f"cross-scale top-1 of {title}, {treatment}: above {MOBILENET}"
            yield Claim(encoder, text, d.low > 0, _show(d))


def _drift(encoder: str, found: dict[str, Any]) -> Iterator[Claim]:
    for measure, title in (("relative", "as a share of the spread"), ("raw", "raw")):
        for change in (ROTATION, *STAINS):
            scores = found[measure][change]
            if MOBILENET in scores:
                ratio = scores[encoder] / scores[MOBILENET]
                yield Claim(
                    encoder,
                    f"drift under {change}, {title}: below half of {MOBILENET}'s",
                    ratio.high < HALF,
                    f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] of it",
                )


def _difference(scores: dict[str, Score], encoder: str, baseline: str) -> Score:
    return scores[encoder] - scores[baseline]


def _show(d: Score) -> str:
    return f"{d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"
