"""Lets Ray pause trials at rungs and take up again those that are promoted.

Ray asks a scheduler twice: what becomes of a trial that has reported, and which trial a free worker takes. Here both
answers come from :class:`search.schedulers.rungs.Rungs`. Trials have their number in the study for a name, for Ray's
own ids change when a sweep is resumed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Container
from typing import TYPE_CHECKING, Any, Protocol

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.schedulers.keys import TIME_ATTR
from search.schedulers.rungs import Decision, Ladder

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController

ACTIONS = {
    Decision.GO_ON: TrialScheduler.CONTINUE,
    Decision.WAIT: TrialScheduler.PAUSE,
    Decision.STOP: TrialScheduler.STOP,
}
"""What Ray calls it."""


class Desk(Protocol):
    """Who hands out trials: what this scheduler asks it, and what it tells it."""

    def has_begun(self, number: int) -> bool:
        """Whether an earlier driver left a trial at work: it comes before all others."""
        ...

    def has_room(self) -> bool:
        """Whether one trial more may be at work."""
        ...

    def is_over(self) -> bool:
        """Whether there are no more new trials and none is at work."""
        ...

    def has_full_training(self, apart_from: Container[int]) -> bool:
        """Whether a trial, but those, has been trained to its last epoch."""
        ...

    def park(self, number: int) -> None:
        """A trial that waits has kept its checkpoint and left its worker."""
        ...

    def take_up(self, number: int) -> None:
        """A trial that waits is promoted."""
        ...

    def left_checkpoint(self, number: int) -> str | None:
        """The newest checkpoint that earlier drivers left of a trial, if any."""
        ...


class PromotingScheduler(FIFOScheduler):
    """Pauses and promotes as the rungs say.

    A free worker takes, in this order: a trial that had one and lost it (a crash, an earlier driver); the trial that
    the rungs promote; a new trial. When nothing is at work and nothing will be, the trials that wait are closed: Ray
    would never end. A sweep of few trials would end so without a full training, for the best third of two trials is
    none: the best one is trained to its end then.

    Args:
        rungs:
            What decides.
        desk:
            Who hands out trials.
        metric:
            Key of the value in a result.
        epochs:
            Epochs of a full training.
        finish_best:
            Whether the best trial is trained to its end where none has been.
        spared:
            Trials that are trained to their end whatever they are worth; they do not count for ``finish_best``.
    """

    def __init__(
        self,
        rungs: Ladder[Any, Any],
        desk: Desk,
        *,
        metric: str,
        epochs: int,
        finish_best: bool = True,
        spared: Container[int] = (),
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rungs = rungs
        self._desk = desk
        self._value_key = metric
        self._epochs = epochs
        self._finish_best = finish_best
        self._spared = spared
        self._trials: dict[int, Trial] = {}
        self._first: deque[int] = deque()
        self._saving: set[int] = set()

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:  # noqa: ARG002
        """Take a trial in: a new one, one that crashed and is to start again, or one that waited before this driver."""
        number = _number(trial)
        crashed = number in self._trials
        self._trials[number] = trial
        if number in self._rungs.waiting:
            trial.set_status(Trial.PAUSED)  # type: ignore[no-untyped-call]  # Ray files it by this, after this hook
            trial.init_local_path()  # type: ignore[no-untyped-call]  # in the end Ray asks even those that never ran
            self._saving.add(number)
        elif crashed or self._desk.has_begun(number):
            self._first.append(number)

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:  # noqa: ARG002
        """Let the trial go on, pause it, or stop it."""
        epoch = int(result[TIME_ATTR])
        if epoch >= self._epochs:
            return TrialScheduler.STOP
        decision = self._decide(_number(trial), epoch, result)
        if decision is Decision.WAIT:
            self._saving.add(_number(trial))
        return ACTIONS[decision]

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:  # noqa: ARG002
        """A worker died; the trial may have been on its way to a pause."""
        self._saving.discard(_number(trial))
        self._rungs.repeat(_number(trial))

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> None:  # noqa: ARG002
        """Forget a trial that has ended."""
        self._forget(trial)

    def on_trial_remove(self, tune_controller: TuneController, trial: Trial) -> None:  # noqa: ARG002
        """Forget a trial that was ended while it waited."""
        self._forget(trial)

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """What the next free worker takes; None leaves it to Ray to start the new trial, if there is one."""
        self._park()
        owed = self._owed()
        if owed is not None:
            return owed
        ready = next((self._trials[number] for number in self._rungs.promotables() if self._is_paused(number)), None)
        if ready is not None and self._desk.has_room():
            self._rungs.promote(_number(ready))
            return self._take_up(ready)
        if not self._desk.is_over():
            return None
        finalist = self._take_up_finalist()
        if finalist is None:
            self._close_waiting(tune_controller)
        return finalist

    def _park(self) -> None:
        """Tell the desk whose worker is free now: Ray says so to nobody."""
        for number in [number for number in self._saving if self._is_paused(number)]:
            self._saving.discard(number)
            self._desk.park(number)

    def _decide(self, number: int, epoch: int, result: dict[str, Any]) -> Decision:
        """What the rungs say of a result."""
        return self._rungs.record(number, epoch, result.get(self._value_key, math.nan))

    def _owed(self) -> Trial | None:
        """The trial that has been given the next worker already, and has not got it yet."""
        while self._first:
            trial = self._trials.get(self._first[0])
            if trial is not None and trial.status == Trial.PENDING:
                return trial
            self._first.popleft()
        return None

    def _take_up_finalist(self) -> Trial | None:
        if not self._finish_best or self._desk.has_full_training(self._spared):
            return None
        number = self._rungs.finalist()
        if number is None:
            return None
        self._rungs.release(number)
        return self._take_up(self._trials[number])

    def _take_up(self, trial: Trial) -> Trial:
        number = _number(trial)
        self._desk.take_up(number)
        if trial.checkpoint is None:  # it has not been at work under this driver
            left = self._desk.left_checkpoint(number)
            trial.set_config({**trial.config, "checkpoint": left})  # type: ignore[no-untyped-call]
        self._first.append(number)
        return trial

    def _close_waiting(self, tune_controller: TuneController) -> None:
        for number in list(self._rungs.waiting):
            if self._is_paused(number):
                tune_controller.stop_trial(self._trials[number])  # type: ignore[no-untyped-call]

    def _is_paused(self, number: int) -> bool:
        """Whether Ray has a trial paused; one that waits may still be writing its checkpoint."""
        trial = self._trials.get(number)
        return trial is not None and trial.status == Trial.PAUSED

    def _forget(self, trial: Trial) -> None:
        number = _number(trial)
        self._rungs.close(number)
        self._saving.discard(number)
        self._trials.pop(number, None)

    def debug_string(self) -> str:
        """One line for Ray's log."""
        return f"{len(self._rungs.waiting)} trials wait at {len(self._rungs.levels)} rungs"


def _number(trial: Trial) -> int:
    return int(trial.config["trial_number"])
