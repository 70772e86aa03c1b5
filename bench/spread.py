"""Medians, and how far measurements lie apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import msgspec


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Measurements of one thing: their median, and the range of the middle eighty per cent."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """Sum up measurements, of which there is one at least."""
    return Spread(
        median=statistics.median(values),
        low=percentile(values, 10),
        high=percentile(values, 90),
        count=len(values),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Answer the least of the values that `share` per cent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]
