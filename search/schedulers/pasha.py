"""PASHA: successive halving that lets trials go further only while their ranking still changes.

Algorithm 1 of Bohdal et al. 2022 (https://arxiv.org/abs/2207.06940): ASHA in which the highest rung to be reached, at
first the second one, rises when the ranking of the trials there is another than it was one rung below. Trials that lie
within ``epsilon`` of each other may change places (soft ranking).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from search.schedulers.rungs import Past, Place, Rungs

_PERCENTILE = 90.0  # of the distances of trials that overtook each other twice; the paper's value
_COMPARED = (
    100  # best trials of a rung whose pairs are looked at: enough for a percentile, and what it costs is bounded
)


class ProgressiveRungs(Rungs):
    """The rungs of PASHA.

    Args:
        levels:
            Epochs at which trials wait, rising.
        reduction_factor:
            How many trials compete for one place in the next rung.
        mode:
            Whether more (``max``) or less (``min``) of a value is better.
        epsilon:
            Difference in value below which the order of two trials means nothing; 0 compares plain rankings. None
            estimates it as the paper does: trials that overtake each other and are overtaken again differ by noise, so
            it is the 90th percentile of the distances of such pairs; 0 while there are none.
    """

    def __init__(
        self,
        levels: Sequence[int],
        reduction_factor: float,
        mode: Literal["max", "min"] = "max",
        *,
        epsilon: float | None = None,
    ) -> None:
        super().__init__(levels, reduction_factor, mode)
        self._epsilon = epsilon
        self._open = min(1, len(self.levels))
        self._curves: dict[int, dict[int, float]] = {}
        self._top = _Top()

    @property
    def reach(self) -> int | None:
        """The epoch up to which trials are trained now; None where that is the last one."""
        return self.levels[self._open] if self._open < len(self.levels) else None

    def load(self, history: Iterable[Past[float]]) -> None:
        """Fill the rungs, and let trials go as far as they were let go before."""
        history = list(history)
        super().load(history)
        farthest = max((max(past.values, default=0) for past in history if past.judged), default=0)
        self._open = max(self._open, bisect_left(self.levels, farthest))
        self._look_at_top()

    def _open_levels(self) -> Sequence[int]:
        return self.levels[: self._open]

    def _reached(self, number: int, level: int) -> None:
        if level == self.reach:
            self._top.add(self._rungs[level].places[number], self._one_rung_below(number))
            self._rise_if_unstable()

    def _enter(self, number: int, epoch: int, value: float) -> None:
        super()._enter(number, epoch, value)
        self._curves.setdefault(number, {}).setdefault(epoch, self._sign * value)

    def _look_at_top(self) -> None:
        self._top = _Top()
        if self.reach is not None:
            for number, place in self._rungs[self.reach].places.items():
                self._top.add(place, self._one_rung_below(number))
            self._rise_if_unstable()

    def _one_rung_below(self, number: int) -> float | None:
        return self._curves[number].get(self.levels[self._open - 1])

    def _rise_if_unstable(self) -> None:
        distance = self._top.distance()
        if distance > 0 and distance > self._tolerance():
            self._open += 1
            self._look_at_top()

    def _tolerance(self) -> float:
        if self._epsilon is not None:
            return self._epsilon
        return noise([self._curves[number] for number in self._top.best(_COMPARED)], self.reach or 0)


class _Top:
    """The trials of the top rung by rank, beside what they were one rung below; grows by one at a time."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._earlier = array("d")
        self._ordered = array("d")

    def add(self, place: Place, earlier: float | None) -> None:
        """Take in a trial; without a value at the rung below it tells nothing."""
        if earlier is not None:
            rank = bisect_left(self._places, place)
            self._places.insert(rank, place)
            self._earlier.insert(rank, earlier)
            insort(self._ordered, earlier)

    def best(self, count: int) -> list[int]:
        return [place.number for place in self._places[:count]]

    def distance(self) -> float:
        """How far the ranking is from what it was one rung below.

        For each place: how far the trial that holds it now was then from the one that held it then. The largest.
        """
        if not self._places:
            return 0.0
        return float(np.max(np.abs(np.frombuffer(self._earlier) - np.frombuffer(self._ordered))))


def noise(curves: Sequence[Mapping[int, float]], top: int) -> float:
    """How far apart trials can be whose order means nothing: 0 where no pair has changed places twice.

    Args:
        curves:
            Loss of each trial by epoch.
        top:
            The epoch at which the distance is taken.
    """
    if len(curves) < 2:
        return 0.0
    table = np.array([[curve.get(epoch, np.nan) for epoch in range(1, top + 1)] for curve in curves])
    first, second = np.triu_indices(len(curves), k=1)
    distances = table[first] - table[second]
    swapped = distances[_overtaken_twice(distances), -1]
    return float(np.percentile(np.abs(swapped), _PERCENTILE)) if len(swapped) else 0.0


def _overtaken_twice(distances: NDArray[np.float64]) -> NDArray[np.bool_]:
    """For each row, whether its last sign stood before, too, with the opposite one between."""
    agree = distances * np.sign(distances[:, -1:])  # above 0: the order at the end
    opposed = np.logical_or.accumulate((agree < 0)[:, ::-1], axis=1)  # from the end back
    return np.asarray(np.any(opposed & (agree > 0)[:, ::-1], axis=1))
