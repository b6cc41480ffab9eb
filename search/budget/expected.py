"""How many epochs and hours a sweep is to take: the configured scheduler, simulated.

The decisions are those of the real schedulers. What is made up are the trials: each is as good as the next, so their
values are in random order, the same at every rung, and no trial fails. Samplers that learn make later trials better
than earlier ones, which lets more of them go on.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from ray.tune.schedulers import TrialScheduler

from search.checkpoints import KEPT_CHECKPOINTS
from search.goals.config import Objective
from search.samplers._rng import generator
from search.schedulers.build import build_rungs, build_scheduler
from search.schedulers.config import SchedulerConfig
from search.schedulers.keys import TIME_ATTR
from search.schedulers.rungs import Decision, Ladder

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController

_VALUE = "value"
_DRAWS = 10
_NO_CONTROLLER = cast("TuneController", None)  # schedulers that never pause do not look at it
_LONGEST = 500
"""So many trials are simulated; what more of them take grows in proportion."""


class Costs(NamedTuple):
    """What things take, in seconds.

    Attributes:
        start:
            From an idle machine to the first epoch of a slot's first trial.
        restart:
            From the end of a trial to the first epoch of the next one in the same process.
        epoch:
            An epoch with its validation and checkpoint.
    """

    start: float
    restart: float
    epoch: float


class Expected(NamedTuple):
    """What a sweep is expected to take, as a mean over simulations.

    Attributes:
        epochs:
            Epochs of all trials.
        least, most:
            The same in the cheapest and in the dearest simulation.
        seconds:
            From the first trial's start to the last one's end.
        slot_seconds:
            The same summed over the slots at work.
        waiting:
            Most checkpoints that trials have at a time which wait at a rung.
    """

    epochs: float
    least: float
    most: float
    seconds: float
    slot_seconds: float
    waiting: float = 0.0


@dataclass(frozen=True)
class SimulatedSweep:
    """A sweep as the simulation sees it.

    Attributes:
        scheduler:
            The ``scheduler`` part of its configuration.
        epochs:
            Epochs of a full training.
        trials:
            How many trials there shall be.
        slots:
            How many train at a time.
    """

    scheduler: SchedulerConfig
    epochs: int
    trials: int
    slots: int
    metric: str = _VALUE
    mode: Literal["max", "min"] = "max"
    objectives: tuple[Objective, ...] = ()


def expect(sweep: SimulatedSweep, costs: Costs, seed: int = 0) -> Expected:
    """Simulate a sweep several times."""
    trials = min(sweep.trials, _LONGEST)
    short = SimulatedSweep(sweep.scheduler, sweep.epochs, trials, sweep.slots)
    scale = sweep.trials / trials
    runs = [_Run(short, costs, generator(seed, "dry_run", draw).random(trials)) for draw in range(_DRAWS)]
    ends = [run.run() for run in runs]
    epochs = [epochs * scale for epochs, _, _ in ends]
    return Expected(
        mean(epochs),
        min(epochs),
        max(epochs),
        mean(seconds for _, seconds, _ in ends) * scale,
        mean(busy for _, _, busy in ends) * scale,
        mean(run.most_waiting for run in runs) * scale,
    )


@dataclass(frozen=True)
class _StandIn:
    """What schedulers read of one of Ray's trials."""

    config: dict[str, int]


class _Run:
    """One simulation: a heap of the ends of epochs, and trials that wait."""

    def __init__(self, sweep: SimulatedSweep, costs: Costs, values: NDArray[np.float64]) -> None:
        self._sweep, self._costs, self._values = sweep, costs, values
        self._rungs = build_rungs(sweep.scheduler, sweep)
        self._judge = _judge(sweep, self._rungs)
        self._reached = [0] * sweep.trials
        self._begun = 0
        self._events: list[tuple[float, int]] = []
        self._epochs, self._busy = 0, 0.0
        self.most_waiting = 0

    def run(self) -> tuple[int, float, float]:
        """Epochs, seconds until the last one, and seconds that slots were at work."""
        idle = [(0.0, self._costs.start)] * self._sweep.slots
        now = 0.0
        while True:
            idle = [slot for slot in idle if not self._begin(*slot)]
            if not self._events and not self._finish_best(now):
                return self._epochs, now, self._busy
            now, number = heapq.heappop(self._events)
            self._reached[number] += 1
            self._epochs += 1
            if self._goes_on(number):
                self._push(now, number, self._costs.epoch)
            else:
                idle.append((now, self._costs.restart))
                self._count_waiting()
            idle = [(max(since, now), cost) for since, cost in idle]

    def _begin(self, now: float, cost: float) -> bool:
        """Give a free slot a trial: one that is promoted, else a new one."""
        number = self._rungs.promotable() if self._rungs else None
        if number is not None and self._rungs:
            self._rungs.promote(number)
        elif self._begun < self._sweep.trials:
            number = self._begun
            self._begun += 1
        else:
            return False
        self._push(now, number, cost + self._costs.epoch)
        return True

    def _finish_best(self, now: float) -> bool:
        """Where no trial but the spared has been trained to its end, the best of those that wait is."""
        scheduler, full = self._sweep.scheduler, self._sweep.epochs
        if not self._rungs or scheduler.type != "asha" or not scheduler.finish_best:
            return False
        if any(epoch == full for number, epoch in enumerate(self._reached) if number not in scheduler.spared):
            return False
        number = self._rungs.finalist()
        if number is not None:
            self._rungs.release(number)
            self._push(now, number, self._costs.restart + self._costs.epoch)
        return number is not None

    def _count_waiting(self) -> None:
        if self._rungs:
            waiting = sum(min(epoch, KEPT_CHECKPOINTS) for epoch in self._rungs.waiting.values())
            self.most_waiting = max(self.most_waiting, waiting)

    def _push(self, now: float, number: int, seconds: float) -> None:
        self._busy += seconds
        heapq.heappush(self._events, (now + seconds, number))

    def _goes_on(self, number: int) -> bool:
        epoch = self._reached[number]
        return epoch < self._sweep.epochs and self._judge(number, epoch, float(self._values[number]))


def _judge(sweep: SimulatedSweep, rungs: Ladder[Any, Any] | None) -> Callable[[int, int, float], bool]:
    """What says whether a trial goes on with its next epoch."""
    if rungs is not None:
        return lambda number, epoch, value: rungs.record(number, epoch, value) == Decision.GO_ON
    scheduler = build_scheduler(sweep.scheduler, sweep)
    trials: list[Any] = [_StandIn({"trial_number": number}) for number in range(sweep.trials)]
    for trial in trials:
        scheduler.on_trial_add(_NO_CONTROLLER, trial)

    def judge(number: int, epoch: int, value: float) -> bool:
        result = {TIME_ATTR: epoch, _VALUE: value}
        decision: str = scheduler.on_trial_result(_NO_CONTROLLER, trials[number], result)
        return decision == TrialScheduler.CONTINUE

    return judge
