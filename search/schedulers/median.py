"""The median stopping rule of Vizier: the decisions alone.

Golovin et al. 2017 (https://research.google/pubs/pub46180), section 3.2.2: a trial ends at a step if its best value so
far is worse than the median of the running averages, up to that step, of the other trials. Vizier takes the other
trials that have ended; here, where all may be at work at once, all count that have reached the step.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from search.schedulers.rungs import Decision, Past


class _Course:
    """What the rule knows of a trial."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.total = 0.0
        self.best = math.inf

    def add(self, epoch: int, loss: float) -> float:
        """Take an epoch in and return the running average."""
        self.seen.add(epoch)
        self.total += loss
        self.best = min(self.best, loss)
        return self.total / len(self.seen)


class MedianRule:
    """Stops trials that never were as good as the others are on average.

    Args:
        grace_period:
            Epochs that every trial gets.
        min_samples:
            So many other trials must have reached an epoch before anything is stopped there.
        mode:
            Whether more (``max``) or less (``min``) of a value is better.
    """

    def __init__(self, grace_period: int, min_samples: int, mode: Literal["max", "min"] = "max") -> None:
        self._grace_period = grace_period
        self._min_samples = min_samples
        self._sign = -1.0 if mode == "max" else 1.0
        self._courses: defaultdict[int, _Course] = defaultdict(_Course)
        self._averages: defaultdict[int, list[float]] = defaultdict(list)

    def load(self, history: Iterable[Past[float]]) -> None:
        """Take in what trials of earlier drivers reported."""
        for past in history:
            for epoch, value in sorted(past.values.items()):
                self.record(past.number, epoch, value)

    def record(self, number: int, epoch: int, value: float) -> Decision:
        """Take a trial's value of an epoch and say what becomes of it; an epoch that is trained again counts once."""
        if not math.isfinite(value):
            return Decision.STOP
        course, others = self._courses[number], self._averages[epoch]
        if epoch in course.seen:
            return Decision.GO_ON
        average = course.add(epoch, self._sign * value)
        judged = epoch >= self._grace_period and len(others) >= self._min_samples
        stopped = judged and course.best > _median(others)
        insort(others, average)
        return Decision.STOP if stopped else Decision.GO_ON


def _median(ranked: Sequence[float]) -> float:
    middle = len(ranked) // 2
    return ranked[middle] if len(ranked) % 2 else (ranked[middle - 1] + ranked[middle]) / 2
