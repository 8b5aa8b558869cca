"""Numbers that compare encoders: what each is, where it comes from, and what it means."""

from .alignment import linear_cka, rsa
from .catalogue import MEASURES, Measure, measure_of
from .neighbours import nearest, neighbour_overlap
from .partitions import PartitionAgreement, partition_agreement
from .shape import effective_rank, hubness, uniformity

__all__ = [
    "MEASURES",
    "Measure",
    "PartitionAgreement",
    "effective_rank",
    "hubness",
    "linear_cka",
    "measure_of",
    "nearest",
    "neighbour_overlap",
    "partition_agreement",
    "rsa",
    "uniformity",
]
