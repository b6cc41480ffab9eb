"""Which checkpoints of a sweep are kept: the rule alone; :mod:`search.keeper` acts on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from search.goals.config import Objective
from search.goals.dominance import preference
from search.goals.record import values_by_epoch


@dataclass(frozen=True)
class Standing:
    """What the rule knows of a trial.

    Attributes:
        number:
            Its number in the study.
        state:
            Its state in the study.
        epoch:
            The last epoch that it has reached, 0 before the first.
        value:
            The metric at that epoch, None before the first; of several goals the first.
        paused:
            Whether a scheduler holds it back at a rung.
        values:
            All goals at that epoch, where there are several.
    """

    number: int
    state: TrialState
    epoch: int
    value: float | None
    paused: bool = False
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class RetentionRule:
    """How many checkpoints stay.

    Attributes:
        mode:
            Whether more (``max``) or less (``min``) of the metric is better.
        keep_best:
            So many of the trials that have ended; None keeps all.
        max_paused:
            So many of those that are paused; None keeps all.
        objectives:
            Several goals, by which trials of one epoch are ranked (:func:`search.goals.dominance.preference`) instead.
    """

    mode: Literal["max", "min"] = "max"
    keep_best: int | None = 1
    max_paused: int | None = None
    objectives: tuple[Objective, ...] = ()

    def kept(self, trials: Iterable[Standing]) -> frozenset[int]:
        """The numbers of the trials whose newest checkpoint stays.

        Trials that run, or wait for a resume, always keep theirs. Ended ones (COMPLETE and PRUNED) and paused ones are
        ranked each among themselves: first by the epoch that they have reached, because a value after more epochs is
        another quantity, and because a trial that was promoted further has outdone those it left behind and costs more
        to repeat; among equals by the value at that epoch; then the earlier trial. The first of the ended ones is the
        sweep's best trial (:func:`search.results.best_trial`). FAIL keeps none.
        """
        trials = list(trials)
        live = {t.number for t in trials if not t.state.is_finished() and not t.paused}
        ended = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        paused = [t for t in trials if t.paused and not t.state.is_finished()]
        return frozenset(live | self._best(ended, self.keep_best) | self._best(paused, self.max_paused))

    def _best(self, trials: Iterable[Standing], count: int | None) -> set[int]:
        if self.objectives:
            return set(self._ranked(trials)[:count])
        sign = -1 if self.mode == "max" else 1
        reached = [(-t.epoch, sign * t.value, t.number) for t in trials if t.value is not None]
        return {number for _, _, number in sorted(reached)[:count]}

    def _ranked(self, trials: Iterable[Standing]) -> list[int]:
        """The numbers of trials with several goals, the best first."""
        signs = [goal.sign for goal in self.objectives]
        reached = sorted((t for t in trials if t.values), key=lambda t: (-t.epoch, t.number))
        numbers: list[int] = []
        for _, group in groupby(reached, key=lambda t: t.epoch):
            same = list(group)
            losses = np.array([t.values for t in same]) * signs
            numbers += [same[place].number for place in preference(losses)]
        return numbers


def standing(trial: FrozenTrial, *, paused: bool = False) -> Standing:
    """How a trial of the study stands."""
    reported = values_by_epoch(trial)
    epoch = max(reported, default=0)
    values = reported.get(epoch, ())
    return Standing(trial.number, trial.state, epoch, values[0] if values else None, paused, values)
