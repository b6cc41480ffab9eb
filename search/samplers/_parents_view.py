"""The view of the GA: the parents that it would choose from all trials, and what else its rules ask for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from search.samplers._genes import contains
from search.samplers._ordered import OrderedKeys
from search.samplers._population import PARENT_STATES, final_value, reached_every_rung, sound, value_at
from search.samplers.history import History, shown

_LONGEST_WALK = 1000
"""So many of the best are looked through for holders of a parameter that few trials have."""

_Rung = int | None | str
_FINAL = "final"


class ParentsView:
    """The best trials at the rung of comparison: exactly those that the GA would rank first among all.

    Kept up to date: how many trials reached each step, and all of them in order of their value at the one where they
    are compared. When that rung changes (a few times in a sweep), they are put in order anew.

    With them come trial 0, the defaults as a sweep starts with them, and the newest trial of each parameter, for its
    distribution. Without a parent the study is seen whole. Paused trials are parents, and are seen as PRUNED.

    Args:
        study:
            The study.
        n_parents:
            How many parents the GA takes.
    """

    def __init__(self, study: Study, n_parents: int) -> None:
        self._n = n_parents
        self._sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        self._sound: dict[int, FrozenTrial] = {}
        self._reached: Counter[int] = Counter()
        self._everywhere = 0
        self._last_steps: Counter[int | None] = Counter()
        self._newest: dict[str, int] = {}
        self._rung: _Rung = _FINAL
        self._board = OrderedKeys()
        self._keys: dict[int, tuple[float, int]] = {}

    def replace(self, old: FrozenTrial | None, new: FrozenTrial) -> None:
        """Take a trial at its new state."""
        del old  # what it was is known here by its number
        trial = shown(new, "pruned")
        for name in trial.distributions:
            self._newest[name] = max(trial.number, self._newest.get(name, 0))
        before = self._sound.pop(trial.number, None)
        if before is not None:
            self._count(before, -1)
            self._unlist(trial.number)
        if trial.state in PARENT_STATES and sound(trial):
            self._sound[trial.number] = trial
            self._count(trial, 1)
            self._list(trial)

    def spaces(self, history: History) -> Sequence[FrozenTrial]:
        """The same: the GA draws its parent when it is asked for the space."""
        return self.trials(history)

    def trials(
        self, history: History, name: str | None = None, distribution: BaseDistribution | None = None
    ) -> Sequence[FrozenTrial]:
        """The best, of those that hold the parameter where one is named, trial 0 and the newest distributions."""
        rung = self._comparison()
        if not self._sound or rung is None:
            return list(history.trials)
        if rung != self._rung:
            self._compare_at(rung)
        best = [number for _, number in islice(self._board, self._n)] + self._witness(rung)
        if name is not None and distribution is not None:
            holders = self._holders(name, distribution)
            if not holders:
                return list(history.trials)
            best += holders
        numbers = {0, *best, *self._newest.values()}
        return [self._sound.get(number, history.trials[number]) for number in sorted(numbers)]

    def _comparison(self) -> _Rung:
        """Where trials are compared, as in ``_population``; None where only the GA itself can tell."""
        if len(self._last_steps) <= 1:
            return _FINAL
        wanted = min(self._n, len(self._sound)) - self._everywhere
        return max((step for step, count in self._reached.items() if count >= max(wanted, 1)), default=None)

    def _witness(self, rung: _Rung) -> list[int]:
        """The best trial that reported at the rung: without one, trials that told no steps would hide the rung."""
        told = (number for _, number in self._board if rung in self._sound[number].intermediate_values)
        return list(islice(told, 1)) if isinstance(rung, int) else []

    def _compare_at(self, rung: _Rung) -> None:
        self._rung, self._board, self._keys = rung, OrderedKeys(), {}
        for trial in self._sound.values():
            self._list(trial)

    def _list(self, trial: FrozenTrial) -> None:
        value = final_value(trial) if isinstance(self._rung, str) else value_at(trial, self._rung or 0)
        if value is not None and math.isfinite(value):
            self._keys[trial.number] = key = (self._sign * value, trial.number)
            self._board.add(key)

    def _unlist(self, number: int) -> None:
        key = self._keys.pop(number, None)
        if key is not None:
            self._board.remove(key)

    def _count(self, trial: FrozenTrial, change: int) -> None:
        self._everywhere += change * reached_every_rung(trial)
        self._last_steps[trial.last_step] += change
        if not self._last_steps[trial.last_step]:
            del self._last_steps[trial.last_step]
        for step, value in trial.intermediate_values.items():
            if math.isfinite(value):
                self._reached[step] += change

    def _holders(self, name: str, distribution: BaseDistribution) -> list[int]:
        held = (
            number
            for _, number in islice(self._board, _LONGEST_WALK)
            if name in (params := self._sound[number].params) and contains(distribution, params[name])
        )
        return list(islice(held, self._n))
