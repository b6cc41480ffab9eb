"""What ends a sweep because it has what it wants: a target is reached, or nothing better comes any more.

Only COMPLETE trials are compared: the value of a trial that was stopped early is another quantity. So the best of them
is :func:`search.results.best_trial`. Nothing is compared unless a target or a plateau asks for it: a sweep with several
goals has no better and worse, and its configuration refuses both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from optuna.trial import FrozenTrial, TrialState

from search.budget.config import BudgetConfig
from search.goals.record import is_rejected
from search.known.marks import is_result
from search.samplers.keys import is_paused


class Goals:
    """Target and plateau, told of each trial that ends.

    Args:
        budget:
            What was configured.
        better:
            Whether one value of the metric beats another.
        trials:
            The trials so far.
    """

    def __init__(
        self, budget: BudgetConfig, better: Callable[[float, float], bool], trials: Iterable[FrozenTrial] = ()
    ) -> None:
        self._target, self._plateau, self._better = budget.target, budget.plateau, better
        self._compares = budget.target is not None or budget.plateau is not None
        self._settled: set[int] = set()  # ended, or waited at a rung
        self._ended: set[int] = set()
        self._mark: float | None = None  # what a new best is held against
        self.best: float | None = None
        self.idle = 0
        for trial in sorted(trials, key=lambda t: (t.datetime_complete or datetime.max, t.number)):  # noqa: DTZ901
            self.observe(trial)

    def observe(self, trial: FrozenTrial) -> None:
        """Take note of a trial; one that trains changes nothing yet, one imported or rejected nothing at all."""
        if not self._compares or trial.number in self._ended or is_result(trial) or is_rejected(trial):
            return
        if not (trial.state.is_finished() or is_paused(trial)):
            return
        is_known = trial.number in self._settled
        self._settled.add(trial.number)
        if trial.state.is_finished():
            self._ended.add(trial.number)
        value = trial.values[0] if trial.state == TrialState.COMPLETE and trial.values else None
        if value is not None and (self.best is None or self._better(value, self.best)):
            self.best = value
        if value is not None and self._is_new(value):
            self._mark, self.idle = value, 0
        elif self._mark is not None and trial.state != TrialState.FAIL and not is_known:
            self.idle += 1

    def _is_new(self, value: float) -> bool:
        if self._mark is None:
            return True
        delta = self._plateau.min_delta if self._plateau else 0.0
        return self._better(value, self._mark) and abs(value - self._mark) > delta

    def reached(self) -> str | None:
        """The budget that ends the sweep, ``target`` or ``plateau``; None while it goes on."""
        if self._target is not None and self.best is not None and not self._better(self._target, self.best):
            return "target"
        if self._plateau is not None and self.idle >= self._plateau.trials:
            return "plateau"
        return None
