"""What Ray's controller does with a scheduler, without processes: slots, statuses, one waiting trial drawn ahead.

As in Ray, a trial that is to pause keeps its slot until its checkpoint is written, and a trial whose worker dies is
queued again.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, cast

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from search.schedulers.promoting import PromotingScheduler
from search.schedulers.rungs import Rungs


@dataclass(eq=False)
class ModelTrial:
    """What a scheduler sees of Ray's trial, and how far it is."""

    number: int
    status: str = Trial.PENDING
    epoch: int = 0
    is_saving: bool = False
    checkpoint: object | None = None
    has_folder: bool = False
    config: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.config = {"trial_number": self.number, "checkpoint": None}

    def set_status(self, status: str) -> None:
        self.status = status

    def init_local_path(self) -> None:
        self.has_folder = True

    def set_config(self, config: dict[str, Any]) -> None:
        self.config = config


class ModelDesk:
    """Draws so many trials, and bounds how many are at work."""

    def __init__(self, rungs: Rungs, planned: int, most: int, begun: frozenset[int] = frozenset()) -> None:
        self.rungs, self.planned, self.most, self.begun = rungs, planned, most, begun
        self.live: set[int] = set()
        self.parked: set[int] = set()
        self.full: set[int] = set()
        self.drawn = 0
        self.taken_up: list[int] = []

    def draw(self) -> int | None:
        if self.drawn >= self.planned or self.at_work() + sum(1 for _ in self.rungs.promotables()) >= self.most:
            return None
        self.drawn += 1
        self.live.add(self.drawn - 1)
        return self.drawn - 1

    def at_work(self) -> int:
        return len(self.live - self.parked)

    def has_full_training(self, apart_from: Container[int]) -> bool:
        return any(number not in apart_from for number in self.full)

    def park(self, number: int) -> None:
        assert number in self.rungs.waiting
        self.parked.add(number)

    def has_begun(self, number: int) -> bool:
        return number in self.begun

    def has_room(self) -> bool:
        return self.at_work() < self.most

    def is_over(self) -> bool:
        return self.drawn >= self.planned and not self.at_work()

    def take_up(self, number: int) -> None:
        self.parked.remove(number)
        self.taken_up.append(number)

    def left_checkpoint(self, number: int) -> str | None:
        return f"/left/{number}"


class RayModel:
    def __init__(
        self, rungs: Rungs, slots: int, epochs: int, planned: int, most: int = 10**6,
        *, finish_best: bool = False, spared: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        self.desk = ModelDesk(rungs, planned, most)
        self.scheduler = PromotingScheduler(
            rungs, self.desk, metric="loss", epochs=epochs, finish_best=finish_best, spared=spared
        )
        self.slots, self.epochs = slots, epochs
        self.trials: list[ModelTrial] = []
        self.started: list[int] = []

    def add(self, trial: ModelTrial) -> None:
        self.trials.append(trial)
        self.scheduler.on_trial_add(cast("Any", self), cast("Any", trial))

    def at_work(self) -> list[ModelTrial]:
        return [trial for trial in self.trials if trial.status == Trial.RUNNING]

    def fill(self) -> None:
        """Step until nothing more can start."""
        while True:
            before = [trial.status for trial in self.trials], self.desk.at_work()
            pending = [trial for trial in self.trials if trial.status == Trial.PENDING]
            number = None if pending else self.desk.draw()
            if number is not None:
                self.add(ModelTrial(number))
                pending = [self.trials[-1]]
            chosen = cast("Any", self.scheduler.choose_trial_to_run(cast("Any", self)))
            if chosen is not None:
                chosen.status = Trial.PENDING
            if len(self.at_work()) < self.slots and (chosen or pending):
                begins = chosen or pending[0]
                begins.status = Trial.RUNNING
                self.started.append(begins.number)
            if ([trial.status for trial in self.trials], self.desk.at_work()) == before:
                return

    def report(self, trial: ModelTrial, loss: float) -> str:
        trial.epoch += 1
        action = self.scheduler.on_trial_result(
            cast("Any", self), cast("Any", trial), {"epoch": trial.epoch, "loss": loss}
        )
        if action == TrialScheduler.STOP:
            if trial.epoch == self.epochs:
                self.desk.full.add(trial.number)
            self.scheduler.on_trial_complete(cast("Any", self), cast("Any", trial), {})
            self.end(trial)
        elif action == TrialScheduler.PAUSE:
            trial.is_saving = True
        return action

    def saved(self, trial: ModelTrial) -> None:
        trial.is_saving, trial.status, trial.checkpoint = False, Trial.PAUSED, object()

    def crash(self, trial: ModelTrial) -> None:
        trial.epoch, trial.is_saving = max(trial.epoch - 1, 0), False
        self.scheduler.on_trial_error(cast("Any", self), cast("Any", trial))
        trial.status = Trial.PENDING
        self.scheduler.on_trial_add(cast("Any", self), cast("Any", trial))
        assert trial.status == Trial.PENDING  # it is in Ray's queue, and it has no checkpoint to wait with

    def stop_trial(self, trial: ModelTrial) -> None:
        assert trial.status == Trial.PAUSED
        self.scheduler.on_trial_remove(cast("Any", self), cast("Any", trial))
        self.end(trial)

    def end(self, trial: ModelTrial) -> None:
        trial.status = Trial.TERMINATED
        self.desk.live.discard(trial.number)
        self.desk.parked.discard(trial.number)
