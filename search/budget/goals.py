"""What ends a sweep because it has what it wants: a target is reached, or nothing better comes any more.

Only COMPLETE trials are compared: the value of a trial that was stopped early is another quantity. So the best of them
is :func:`search.results.best_trial`. Nothing is compared unless a target or a plateau asks for it: a sweep with several
goals has no better and worse, and its configuration refuses both.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Container, Iterable
from typing import NamedTuple

from optuna.trial import FrozenTrial, TrialState

from search.budget.config import BudgetConfig
from search.budget.settled import SettledTrials
from search.keys import SETTLED
from search.known.marks import is_result


class _Completed(NamedTuple):
    """A COMPLETE trial; they are compared in this order, which the study keeps.

    Two drivers that end a trial each at the same moment may both note the same count: the number decides then.
    """

    settled: int
    number: int
    value: float


class Goals:
    """Target and plateau, an index of the study's history (:class:`search.samplers.history.Index`).

    All of it follows from what the study says of each trial, in whatever order that is read: a driver that goes on, one
    that works beside it and ``status`` count the same.

    Args:
        budget:
            What was configured.
        better:
            Whether one value of the metric beats another.
        trials:
            The trials so far.
        spared:
            Trials that are trained to their end whatever they are worth. A plateau is not counted from them: one is
            COMPLETE long before any other can be.
    """

    def __init__(
        self,
        budget: BudgetConfig,
        better: Callable[[float, float], bool],
        trials: Iterable[FrozenTrial] = (),
        *,
        spared: Container[int] = (),
    ) -> None:
        self._target, self._plateau, self._better, self._spared = budget.target, budget.plateau, better, spared
        self._compares = budget.target is not None or budget.plateau is not None
        self._settled = SettledTrials()
        self._known: set[int] = set()
        self._completed: list[_Completed] = []
        self._mark: _Completed | None = None  # what a new best is held against
        self.best: float | None = None
        for trial in trials:
            self.replace(None, trial)

    def replace(self, old: FrozenTrial | None, new: FrozenTrial) -> None:
        """Take note of a trial's new state; one that trains changes nothing yet, one imported nothing at all."""
        self._settled.replace(old, new)
        if not self._compares or new.state != TrialState.COMPLETE or not new.values or is_result(new):
            return
        if new.number in self._known:
            return
        self._known.add(new.number)
        value = new.values[0]
        if self.best is None or self._better(value, self.best):
            self.best = value
        if new.number not in self._spared:
            # A study of before has no count: the trials that were started earlier stand in.
            self._take(_Completed(new.user_attrs.get(SETTLED, new.number + 1), new.number, value))

    @property
    def idle(self) -> int:
        """How many trials have settled since the last new best."""
        return max(self._settled.count - self._mark.settled, 0) if self._mark else 0

    def reached(self) -> str | None:
        """The budget that ends the sweep, ``target`` or ``plateau``; None while it goes on."""
        if self._target is not None and self.best is not None and not self._better(self._target, self.best):
            return "target"
        if self._plateau is not None and self.idle >= self._plateau.trials:
            return "plateau"
        return None

    def _take(self, new: _Completed) -> None:
        is_newest = not self._completed or new > self._completed[-1]
        insort(self._completed, new)
        if not is_newest:  # another driver's, which is read late
            self._mark = None
        for each in [new] if is_newest else self._completed:
            if self._is_new(each.value):
                self._mark = each

    def _is_new(self, value: float) -> bool:
        if self._mark is None:
            return True
        delta = self._plateau.min_delta if self._plateau else 0.0
        return self._better(value, self._mark.value) and abs(value - self._mark.value) > delta
