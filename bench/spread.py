"""Turns, their medians, and how far measurements lie apart."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

Contestant = TypeVar("Contestant")


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Measurements of one thing: their median, and the range of the middle eighty per cent.

    The `values` are as they came, one a turn, to the thousandth.
    """

    median: float
    low: float
    high: float
    values: Sequence[float]

    def to(self, other: Spread) -> float:
        """Return how much this is of the other, as the median of the turns.

        Both of a turn were measured one after the other: what slows the machine for a while slows
        both, and drops out.
        """
        pairs = zip(self.values, other.values, strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)


def turns(contestants: Sequence[Contestant], count: int) -> Iterator[Sequence[Contestant]]:
    """Yield the contestants so often, each time in another order, in every run the same ones.

    The processor's caches are full of who was before: that is not to be always the same one.
    """
    shuffled = random.Random(0)
    for _ in range(count):
        yield shuffled.sample(contestants, len(contestants))


def spread(values: Sequence[float]) -> Spread:
    """Sum up measurements, of which there is one at least."""
    return Spread(
        median=statistics.median(values),
        low=percentile(values, 10),
        high=percentile(values, 90),
        values=[round(value, 3) for value in values],
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least of the values that `share` per cent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]
