"""Rungs where there is more than one goal: the best of a rung are the first of its fronts.

Successive halving for several goals as in MO-ASHA (Schmucker et al. 2021, https://arxiv.org/abs/2106.12639): the trials
of a rung are sorted into fronts, and those of a front by crowding distance (:mod:`search.goals.dominance`).
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence
from typing import Any

import numpy as np

from search.goals.config import Objective
from search.goals.dominance import preference
from search.schedulers.promoting import Desk, PromotingScheduler
from search.schedulers.rungs import Decision, Ladder, places

Values = tuple[float, ...]
"""The values of a trial, one for each goal."""


class FrontRung:
    """A rung whose trials are ranked by fronts.

    They are sorted again after each that enters, because it may change the rank of all: milliseconds at 1000 trials.
    """

    def __init__(self) -> None:
        self._losses: dict[int, Values] = {}
        self._waiting: set[int] = set()
        self._order: list[int] | None = None

    def __contains__(self, number: object) -> bool:
        return number in self._losses

    def enter(self, number: int, losses: Values) -> None:
        """Rank a trial; one that is here already keeps its first values."""
        if number not in self._losses:
            self._losses[number] = losses
            self._order = None

    def wait(self, number: int) -> None:
        """A trial that is here waits from now on."""
        self._waiting.add(number)

    def leave(self, number: int) -> None:
        """A trial waits no longer."""
        self._waiting.remove(number)

    def first_waiting(self) -> int | None:
        """The best that waits; None where nobody does."""
        return next((number for number in self.ranked() if number in self._waiting), None)

    def ranked(self) -> list[int]:
        """All that have reached the rung, the best first."""
        if self._order is None:
            numbers = sorted(self._losses)  # of equal trials the earlier one is the better
            losses = np.array([self._losses[number] for number in numbers])
            self._order = [numbers[place] for place in preference(losses)] if numbers else []
        return self._order

    def promotable(self, reduction_factor: float) -> Iterator[int]:
        """Those that wait and are among the best, the best first."""
        for number in self.ranked()[: places(len(self._losses), reduction_factor)]:
            if number in self._waiting:
                yield number


class FrontRungs(Ladder[Values, FrontRung]):
    """The rungs of a sweep with several goals.

    Args:
        levels:
            Epochs at which trials wait, rising.
        reduction_factor:
            How many trials compete for one place in the next rung.
        objectives:
            The goals, in the order of the values.
    """

    def __init__(self, levels: Sequence[int], reduction_factor: float, objectives: Sequence[Objective]) -> None:
        super().__init__(levels, reduction_factor, FrontRung)
        self._signs = [goal.sign for goal in objectives]

    def _is_finite(self, value: Values) -> bool:
        return all(map(math.isfinite, value))

    def _enter(self, number: int, epoch: int, value: Values) -> None:
        if epoch in self._rungs:
            losses = tuple(sign * each for sign, each in zip(self._signs, value, strict=True))
            self._rungs[epoch].enter(number, losses)


class FrontScheduler(PromotingScheduler):
    """Pauses and promotes by several values of a result.

    Args:
        rungs:
            What decides.
        desk:
            Who hands out trials.
        metrics:
            Keys of the values in a result.
        epochs:
            Epochs of a full training.
        finish_best:
            Whether the most preferred trial is trained to its end where none has been.
        spared:
            Trials that are trained to their end whatever they are worth.
    """

    def __init__(
        self,
        rungs: FrontRungs,
        desk: Desk,
        *,
        metrics: Sequence[str],
        epochs: int,
        finish_best: bool = True,
        spared: Container[int] = (),
    ) -> None:
        super().__init__(rungs, desk, metric=metrics[0], epochs=epochs, finish_best=finish_best, spared=spared)
        self._value_keys = tuple(metrics)

    def _decide(self, number: int, epoch: int, result: dict[str, Any]) -> Decision:
        return self._rungs.record(number, epoch, tuple(result.get(key, math.nan) for key in self._value_keys))
