"""PASHA: successive halving that lets trials go further only while their ranking still changes.

Algorithm 1 of Bohdal et al. 2022 (https://arxiv.org/abs/2207.06940): ASHA in which the highest rung to be reached, at
first the second one, rises when the ranking of the trials there is another than it was one rung below. Trials that lie
within ``epsilon`` of each other may change places (soft ranking).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from search.schedulers.rungs import Past, Rungs

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

    @property
    def reach(self) -> int | None:
        """The epoch up to which trials are trained now; None where that is the last one."""
        return self.levels[self._open] if self._open < len(self.levels) else None

    def load(self, history: Iterable[Past]) -> None:
        """Fill the rungs, and let trials go as far as they were let go before."""
        history = list(history)
        super().load(history)
        farthest = max((max(past.values, default=0) for past in history), default=0)
        self._open = max(self._open, bisect_left(self.levels, farthest))
        self._rise_if_unstable()

    def _open_levels(self) -> Sequence[int]:
        return self.levels[: self._open]

    def _reached(self, level: int) -> None:
        if level == self.reach:
            self._rise_if_unstable()

    def _enter(self, number: int, epoch: int, value: float) -> None:
        super()._enter(number, epoch, value)
        self._curves.setdefault(number, {}).setdefault(epoch, self._sign * value)

    def _rise_if_unstable(self) -> None:
        if self.reach is None:
            return
        below = self.levels[self._open - 1]
        top = self._rungs[self.reach].ranked()
        curves = [self._curves[number] for number in top if below in self._curves[number]]
        if not is_stable([curve[below] for curve in curves], self._tolerance(curves, self.reach)):
            self._open += 1

    def _tolerance(self, curves: Sequence[Mapping[int, float]], reach: int) -> float:
        return noise(curves[:_COMPARED], reach) if self._epsilon is None else self._epsilon


def is_stable(earlier: Sequence[float], epsilon: float) -> bool:
    """Whether a ranking is what it was one rung below, up to ``epsilon``.

    For each place, the trial that holds it now must have been within ``epsilon`` of the trial that held it then.

    Args:
        earlier:
            Losses at the rung below, in the order of the ranks now.
        epsilon:
            What counts as equal.
    """
    return bool(np.all(np.abs(np.asarray(earlier) - np.sort(earlier)) <= epsilon))


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
