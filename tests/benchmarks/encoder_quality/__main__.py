"""Measure an encoder against what it has to beat: see the package's docstring."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from napari_scalescope.analysis.probe import bootstrap, classifiers, evaluation, folds
from napari_scalescope.analysis.probe.bootstrap import Score
from napari_scalescope.encoders import catalogue, find_entry
from napari_scalescope.errors import EncoderError

from . import classification, clusters, data, drift, maps, scales
from .claims import Claim, claims
from .describers import (
    MOBILENET,
    ColourTexture,
    Describer,
    evaluated,
    untrained_twin,
)
from .features import Bank, say
from .report import claims_table, markdown, tables

PARTS = ("classification", "scales", "drift", "clusters", "maps")
#: What can be measured on what comes with the package.
WITHOUT_DATA = ("clusters", "maps")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="encoder_quality", description=__doc__)
    parser.add_argument(
        "--encoder",
        nargs="+",
        metavar="ID",
        help="encoders of the catalogue; default: builtin where there is one, else baselines alone",
    )
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="a weights file for the one encoder; repeat it to compare several",
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--final", action="store_true", help="test on HER2ST C6, kept for the end")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keep features there")
    given = parser.parse_args()
    if given.encoder is None:
        given.encoder = ["builtin"] if "builtin" in catalogue() else ["untrained"]
    if given.weights and len(given.encoder) != 1:
        parser.error("--weights goes with one --encoder")
    return given


def describers(given: argparse.Namespace) -> tuple[list[Describer], dict[str, str]]:
    """Encoders under test, then baselines; and the name of each one's untrained twin."""
    tested: list[Describer] = []
    twins: dict[str, str] = {}
    untrained: dict[str, Describer] = {}
    for number, encoder in enumerate(given.encoder):
        entry = find_entry(encoder)
        twin = "untrained" if number == 0 else f"untrained {entry.id}"
        untrained[twin] = untrained_twin(twin, entry, given.device)
        files: list[tuple[str, Path | None]] = [_named(text) for text in given.weights]
        if not files and entry.trained:
            files = [(entry.id, None)]
        for name, path in files:
            tested.append(evaluated(name, entry.id, given.device, path))
            twins[name] = twin
    baselines = [*untrained.values(), ColourTexture()]
    mobilenet = data.SHARED / MOBILENET
    if mobilenet.is_file():
        baselines.append(evaluated("mobilenet", "mobilenet-v2", given.device, mobilenet))
    else:
        say("no weights of MobileNet beside this checkout: left out")
    names = [d.name for d in [*tested, *baselines]]
    if len(set(names)) < len(names):
        raise SystemExit(f"two encoders have one name: {', '.join(names)}")
    return [*tested, *baselines], twins


def _named(text: str) -> tuple[str, Path | None]:
    name, equals, path = text.partition("=")
    return (name, Path(path)) if equals else (Path(text).stem, Path(text))


def settings(given: argparse.Namespace, used: list[Describer]) -> dict[str, Any]:
    """Everything that decides the figures. No paths: they name machines."""
    return {
        "encoders": {d.name: d.identity for d in used},
        "final": given.final,
        "parts": list(given.only),
        "device": given.device,
        "bootstrap": {"resamples": bootstrap.RESAMPLES, "level": bootstrap.LEVEL},
        "probes": {
            "neighbours": classifiers.NEIGHBOURS,
            "outer folds": folds.FOLDS,
            "inner folds": classifiers.INNER_FOLDS,
            "grid": classifiers.GRID,
            "shots": folds.SHOTS,
            "draws": evaluation.DRAWS,
            "few-shot C": evaluation.FEW_SHOT_C,
        },
        "seeds": {
            "folds": 0,
            "few-shot draws and bootstrap": "crc32 of the name of the set (and draw)",
            "drift tiles": drift.SEED,
            "k-means": list(range(clusters.SEEDS)),
            "phantoms": [clusters.SAMPLE_SEED, *clusters.OTHER_SEEDS],
            "untrained": find_entry("untrained").seed,
        },
        "drift": {"jitter": drift.JITTER, "tiles per set": drift.TILES_PER_SET},
        "scales": {"pairs": scales.PAIRS, "min tissue": data.MIN_TISSUE},
        "clusters": {"mpp": clusters.MPP, "stride px": clusters.STRIDE_PX},
        "maps": {"mpp": maps.MPP, "tiles": maps.TILES, "min tissue": data.MIN_TISSUE},
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numpy", "scikit-learn", "scikit-image", "torch")},
    }


def _plain(thing: Any) -> Any:
    if isinstance(thing, Score | Claim):
        return thing.as_dict()
    return thing.item()


def _write(path: Path | None, text: str) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main() -> int:
    given = arguments()
    if not data.SHARED.is_dir():
        left = [part for part in given.only if part in WITHOUT_DATA]
        what = f"only {' and '.join(left)}" if left else "nothing to measure"
        say(f"no folder ../shared/data beside this checkout: {what}")
        given.only = left
    try:
        used, twins = describers(given)
    except EncoderError as error:
        raise SystemExit(str(error)) from error
    bank = Bank(used, given.cache)
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "classification": lambda: classification.run(bank, given.final),
        "scales": lambda: scales.run(bank, given.final),
        "drift": lambda: drift.run(bank),
        "clusters": lambda: clusters.run(bank),
        "maps": lambda: maps.run(used),
    }
    results = {part: runs[part]() for part in PARTS if part in given.only}
    facts = settings(given, used)
    found = claims(results, twins)
    made = tables(results, [d.name for d in used], twins)
    for table in made:
        print(table.text())
    if found:
        print(claims_table(found).text())
    whole = {"settings": facts, "results": results, "claims": found}
    _write(given.json, json.dumps(whole, indent=1, default=_plain, ensure_ascii=False) + "\n")
    _write(given.markdown, markdown(made, found, facts))
    say("done")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
