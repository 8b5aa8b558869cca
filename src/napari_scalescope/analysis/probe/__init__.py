"""Probes: how well classes can be read off frozen features, honestly."""

from .bootstrap import Score, mean_score, resample
from .evaluation import METRICS, Tally, Task, evaluate
from .folds import Blocks, cross_validation, leave_slides_out, spatial_blocks
from .labels import tile_labels
from .scores import Paired, Scores, delong, mcnemar, scores_of

__all__ = [
    "METRICS",
    "Blocks",
    "Paired",
    "Score",
    "Scores",
    "Tally",
    "Task",
    "cross_validation",
    "delong",
    "evaluate",
    "leave_slides_out",
    "mcnemar",
    "mean_score",
    "resample",
    "scores_of",
    "spatial_blocks",
    "tile_labels",
]
