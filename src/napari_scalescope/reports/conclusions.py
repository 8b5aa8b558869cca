"""What the numbers say, in sentences that hold only as much as they do."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

from ..analysis.comparison import Comparison, Number
from ..analysis.robustness import PERTURBATIONS

#: Which score ranks encoders under labels.
RANKED_BY = "balanced_accuracy, logistic"
#: Differences that chance makes more often than this are not told as differences.
LEVEL = 0.05
#: Half a tile further is other tissue: some drift is right there.
SHOULD_NOT_MATTER = tuple(key for key in PERTURBATIONS if key != "shift")


def conclusions(found: Comparison) -> list[str]:
    """A few sentences, the most useful first; none where there is nothing to say."""
    return [*_labels(found), *_stability(found), *_scales(found), *_alike(found), *_speed(found)]


def interval(number: Number) -> str:
    """A number with its 95 % interval, where it has one."""
    if number.low is None or number.high is None:
        return f"{number.value:.3g}"
    return f"{number.value:.2f} [{number.low:.2f}, {number.high:.2f}]"


def _labels(found: Comparison) -> Iterator[str]:
    ranked = [n for n in found.numbers if n.measure == RANKED_BY]
    if not ranked:
        return
    best = max(ranked, key=lambda n: n.value)
    yield (
        f"On your labels {best.encoder} at {best.mpp:g} µm/px recognises the most: balanced "
        f"accuracy {interval(best)} with a logistic probe, on tissue it had not learnt from."
    )
    p = {
        n.encoder: n.value
        for n in found.numbers
        if n.measure == "p, McNemar" and n.mpp == best.mpp and n.other == best.encoder
    }
    tied = [name for name, value in p.items() if value >= LEVEL]
    if tied:
        yield (
            f"At {best.mpp:g} µm/px {_listed(tied)} cannot be told apart from it (McNemar, "
            f"p = {min(p[t] for t in tied):.2g} or more)."
        )
    for name in found.encoders:
        own = [n for n in ranked if n.encoder == name]
        high, low = max(own, key=lambda n: n.value), min(own, key=lambda n: n.value)
        if high.low is not None and low.high is not None and high.low > low.high:
            yield (
                f"Magnification matters to {name}: {interval(high)} at {high.mpp:g} µm/px against "
                f"{interval(low)} at {low.mpp:g} µm/px."
            )


def _stability(found: Comparison) -> Iterator[str]:
    drift = {
        name: [
            n
            for key in SHOULD_NOT_MATTER
            for mpp in found.mpps
            if (n := found.of(f"drift, {key}", name, mpp)) is not None
        ]
        for name in found.encoders
    }
    means = {name: mean(n.value for n in of) for name, of in drift.items() if of}
    if len(means) < 2:
        return
    steady, shaky = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    worst = max(drift[shaky], key=lambda n: n.value)
    what = PERTURBATIONS[worst.measure.partition(", ")[2]].name.lower()
    yield (
        f"{steady} moves least under changes that should not matter ({means[steady]:.2f} of the "
        f"distance between tiles on average), {shaky} most ({means[shaky]:.2f}; {what} at "
        f"{worst.mpp:g} µm/px: {worst.value:.2f})."
    )


def _scales(found: Comparison) -> Iterator[str]:
    of: dict[str, list[float]] = {}
    for n in found.numbers:
        if n.measure == "same place":
            of.setdefault(n.encoder, []).append(n.value)
    if not of:
        return
    means = {name: mean(values) for name, values in of.items()}
    best = max(means, key=means.__getitem__)
    yield (
        f"{best} knows a place again at another magnification most often: in "
        f"{means[best]:.0%} of cases on average"
        + "".join(f", {n} in {v:.0%}" for n, v in means.items() if n != best)
        + "."
    )


def _alike(found: Comparison) -> Iterator[str]:
    of: dict[tuple[str, str], list[float]] = {}
    for n in found.numbers:
        if n.measure == "neighbours":
            of.setdefault((n.encoder, n.other), []).append(n.value)
    if len(of) < 2:
        return
    means = {pair: mean(values) for pair, values in of.items()}
    near, far = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    yield (
        f"Most alike are {near[0]} and {near[1]} ({means[near]:.0%} of nearest tiles shared), "
        f"least {far[0]} and {far[1]} ({means[far]:.0%})."
    )


def _speed(found: Comparison) -> Iterator[str]:
    of = [n for n in found.numbers if n.measure == "speed"]
    if len({n.encoder for n in of}) < 2:
        return
    fast, slow = max(of, key=lambda n: n.value), min(of, key=lambda n: n.value)
    yield (
        f"On this machine {fast.encoder} encodes {fast.value:.3g} tiles per second, {slow.encoder} "
        f"{slow.value:.3g}."
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
