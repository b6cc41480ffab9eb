"""BudgetGuard: keeps a sweep within its budget.

An epoch is the smallest thing that can be granted. Before one begins the guard is asked whether it still fits: what was
spent, the epochs at work, and this one; by the clock, whether it would end in time, as far as measured epochs tell. So
epochs in progress come to their end and are kept, and the budget is passed by no more than one epoch per slot.

Other drivers may be at work on the same study. What they report counts as it comes; what they may be training meanwhile
is set aside (:mod:`search.budget.others`), so the last epochs go to the one that is still there.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Container, Iterator
from typing import TYPE_CHECKING

from data_prep.errors import InputError
from search.budget.config import BudgetConfig
from search.budget.end import Ended
from search.budget.goals import Goals
from search.budget.others import OthersAtWork
from search.budget.report import HOUR, BudgetState, states
from search.budget.spending import Spent, TrainingSums, WallClock
from search.keys import HELD
from search.runtime import gpus_per_trial
from search.study import SweepStudy

if TYPE_CHECKING:
    from search.config import SweepConfig


_LOOK_EVERY_S = 1.0
"""So often at most is asked, while epochs are trained, what other drivers have reported."""


def check_gpu_hours(config: SweepConfig) -> None:
    """Check that a budget of GPU hours can be used up, on the Ray that runs.

    Raises:
        InputError: The budget counts GPU hours, and a trial takes no GPU.
    """
    if config.budget.gpu_hours is not None and not gpus_per_trial(config.resources):
        raise InputError("budget.gpu_hours: a trial takes no GPU here; set budget.hours instead.")


def build_guard(config: SweepConfig, study: SweepStudy) -> BudgetGuard:
    """The guard of a sweep's budget."""
    return BudgetGuard(config.budget, study, spared=config.scheduler.spared)


class BudgetGuard:
    """Says whether another epoch may begin, and when the sweep is to end.

    Args:
        budget:
            What was configured.
        study:
            The study, from which all that was spent is read.
        now:
            The clock, in seconds.
        spared:
            Trials from which no plateau is counted, see :class:`~search.budget.goals.Goals`.
    """

    def __init__(
        self,
        budget: BudgetConfig,
        study: SweepStudy,
        now: Callable[[], float] = time.monotonic,
        *,
        spared: Container[int] = (),
    ) -> None:
        self._budget, self._study = budget, study
        self._sums = TrainingSums()
        self._goals = Goals(budget, study.better, spared=spared)
        self._others = OthersAtWork(study.driver)
        for index in (self._sums, self._goals, self._others):
            study.follow(index)
        self._clock = WallClock(study.study, now)
        self._at_work: set[int] = set()
        self._in_time: set[int] = set()
        self._held: set[int] = set()
        self._waiting: set[int] = set()
        self._held_by = ""
        self._over: Ended | None = None
        self._now, self._looked_at = now, -math.inf

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Count the time inside as a driver's."""
        self._clock.start()
        try:
            yield
        finally:
            self._clock.note(force=True)

    # What is asked.

    def may_begin(self, number: int | None = None) -> bool:
        """Whether a trial that is not at work (a new one, or ``number``) may begin an epoch."""
        if number in self._at_work:
            return True
        refused = self._refusal()
        if refused is not None and not self._at_work:
            self._end_by(refused)
        return refused is None and self._over is None

    def may_go_on(self, number: int, seconds: float) -> bool:
        """Whether a trial whose epoch took ``seconds`` may begin the next one; if not, it is held from now on."""
        refused = self._refusal(seconds)
        if number not in self._at_work or refused is None:
            return True
        self._held.add(number)
        self._held_by = refused
        return False

    def holds(self, number: int) -> bool:
        """Whether a trial was kept from its next epoch and is about to be put back."""
        return number in self._held

    def any_at_work(self) -> bool:
        """Whether a trial trains, or is about to."""
        return bool(self._at_work)

    def over(self) -> bool:
        """Whether the sweep is to end now; also the moment at which the time used is noted."""
        self._clock.note()
        if self._now() - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = self._now()
            self._look_at_others()
        name = self._cause()
        if name is not None:
            self._end_by(name)
        return self._over is not None

    def alone(self) -> contextlib.AbstractContextManager[object]:
        """Keep other drivers from beginning an epoch while this one decides about one."""
        return self._study.alone() if self._counts_epochs and self._study.others() else contextlib.nullcontext()

    def ended(self) -> Ended | None:
        """The budget that allows no further epoch; None where one could begin."""
        # A trial that failed may have left room for an epoch after others were held for the lack of it.
        self._look_at_others()
        name = self._goals.reached()
        if name is None and self._over is not None:
            return self._over
        name = name or self._refusal() or (self._held_by if self._waiting else None)
        return None if name is None else self._ended_by(name)

    def spent(self) -> Spent:
        """What was spent by now."""
        return Spent(self._sums.epochs, self._sums.seconds, self._sums.gpu_seconds, self._clock.seconds)

    def states(self) -> tuple[BudgetState, ...]:
        """How far each budget is used."""
        return states(self._budget, self.spent(), self._goals)

    # What is told.

    def reserve(self, number: int) -> None:
        """A trial was handed out, or is being woken: it will begin an epoch."""
        if number in self._others.held:
            self._study.note(number, HELD, None)
        self._at_work.add(number)
        self._waiting.discard(number)

    def begin(self, number: int) -> None:
        """A trial begins to train; also again, after a crash."""
        self._at_work.add(number)
        if self._out_of_time(self.spent().epoch_seconds):
            self._in_time.discard(number)
        else:
            self._in_time.add(number)

    def rest(self, number: int) -> None:
        """A trial trains no longer: it ended, or waits."""
        self._at_work.discard(number)
        self._in_time.discard(number)

    def put_back(self, number: int) -> None:
        """A held trial has been stopped; it waits in the study for a larger budget."""
        self._study.note(number, HELD, True)
        self._held.discard(number)
        self._waiting.add(number)

    def record(self, number: int) -> None:
        """The study knows more about a trial."""
        self._study.trial(number)  # which tells the indices

    def _cause(self) -> str | None:
        """The budget by which the sweep is to end now."""
        if self._goals.reached():
            return self._goals.reached()
        if not self._out_of_time(self.spent().epoch_seconds):
            return None if self._at_work else self._refusal()
        # What began in time may need one more measured epoch; if it hangs, it is cut to its last checkpoint.
        late = self._clock.seconds - self._hours_in_seconds
        return "hours" if not self._in_time or late > self.spent().epoch_seconds else None

    def _end_by(self, name: str) -> None:
        """It is over for good: Ray is told so, whatever another driver may leave or find later."""
        self._over = self._over or self._ended_by(name)

    def _ended_by(self, name: str) -> Ended:
        state = next(each for each in self.states() if each.name == name)
        elsewhere = name in ("epochs", "gpu_hours") and self._look_at_others()
        return Ended(name, state.sentence() + ("; other drivers are at work on the rest" if elsewhere else ""))

    def _look_at_others(self) -> int:
        """Take over what other drivers have reported; how many epochs they may be training beyond that."""
        alive = self._study.others()
        if not alive:
            return 0
        self._study.refresh()
        return self._others.epochs(alive)

    @property
    def _counts_epochs(self) -> bool:
        return self._budget.epochs is not None or self._budget.gpu_hours is not None

    @property
    def _hours_in_seconds(self) -> float:
        return (self._budget.hours or 0.0) * HOUR

    def _out_of_time(self, seconds: float) -> bool:
        return self._budget.hours is not None and self._clock.seconds + seconds > self._hours_in_seconds

    def _refusal(self, seconds: float | None = None) -> str | None:
        """The budget into which no further epoch fits, beside those at work."""
        budget = self._budget
        ahead = len(self._at_work) + 1 + self._look_at_others() if self._counts_epochs else 0
        spent = self.spent()
        if budget.epochs is not None and spent.epochs + ahead > budget.epochs:
            return "epochs"
        if self._out_of_time(spent.epoch_seconds if seconds is None else seconds):
            return "hours"
        gpu_hours = (spent.gpu_seconds + ahead * spent.epoch_gpu_seconds) / HOUR
        if budget.gpu_hours is not None and gpu_hours > budget.gpu_hours:
            return "gpu_hours"
        return None
