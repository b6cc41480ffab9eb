"""A sweep under a virtual clock: searcher, scheduler and storage are the real ones, and only the training is left out.

One driver serves all slots, one call after the other, as Ray's controller does. Each call into it is timed, and the
clock stands still for nobody: a result waits until the driver is free, a slot waits until its result has been dealt
with and the driver has found it something to do. An epoch takes a fixed time.
"""

from __future__ import annotations

import heapq
import itertools
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import psutil
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from scaling.studies import curve, open_sweep, result, sweep_config

from search.crashes import Crash
from search.journal import JOURNAL
from search.schedulers.build import build_rungs, build_scheduler
from search.searcher import StudySearcher

T = TypeVar("T")


@dataclass(eq=False)
class VirtualTrial:
    """What searcher and scheduler know of a Ray trial."""

    trial_id: str
    config: dict[str, Any]
    status: str = Trial.PENDING
    checkpoint: object | None = None
    epoch: int = 0

    def set_status(self, status: str) -> None:
        self.status = status

    def set_config(self, config: dict[str, Any]) -> None:
        self.config = config


@dataclass
class Clock:
    """The driver's time: it works, or waits for the next result.

    Attributes:
        sync_seconds: None charges the wall clock. A number charges processor time, and so much for each sync of the
            disk: what a machine that other programs crowd would show if it were quiet.
        now: Seconds since the start.
        spent: Seconds at work, by kind of call.
        calls: How many of each.
    """

    sync_seconds: float | None = None
    now: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    syncs: list[int] = field(default_factory=lambda: [0])

    def _stamp(self) -> float:
        if self.sync_seconds is None:
            return time.perf_counter()
        return time.process_time() + self.syncs[0] * self.sync_seconds

    def charge(self, what: str, call: Callable[[], T]) -> T:
        """Make a call and let the clock go on by what it took."""
        began = self._stamp()
        answer = call()
        took = self._stamp() - began
        self.now += took
        self.spent[what] = self.spent.get(what, 0.0) + took
        self.calls[what] = self.calls.get(what, 0) + 1
        return answer


def count_syncs() -> list[int]:
    """Count the syncs of the disk from now on."""
    sync, count = os.fsync, [0]

    def counted(descriptor: int) -> None:
        count[0] += 1
        sync(descriptor)

    os.fsync = counted
    return count


def sync_seconds(folder: Path) -> float:
    """Median time of a sync after a small write."""
    times = []
    with (folder / "probe").open("ab") as file:
        for _ in range(50):
            file.write(b"x" * 1000)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)


class VirtualSweep:
    """Runs a sweep to its end.

    Args:
        searcher: The real one.
        scheduler: The real one.
        slots: Trials at work at a time.
        epochs: Epochs of a full training.
        epoch_seconds: What an epoch takes.
        value: The value of an epoch, by the trial's configuration.
        clock: What the driver's calls are charged to.
    """

    def __init__(
        self,
        searcher: StudySearcher,
        scheduler: Any,
        slots: int,
        epochs: int,
        epoch_seconds: float,
        value: Callable[[dict[str, Any], int], float],
        clock: Clock,
    ) -> None:
        self.clock = clock
        self._searcher, self._scheduler = searcher, scheduler
        self._slots, self._epochs, self._epoch_seconds, self._value = slots, epochs, epoch_seconds, value
        self._running: list[tuple[float, int, VirtualTrial]] = []
        self._trials: dict[str, VirtualTrial] = {}
        self._order = itertools.count()
        self._started = 0
        self.epochs_done = 0
        self.busy_until_last_start = 0.0
        self.last_start = 0.0

    def run(self) -> None:
        """Go on until nothing is at work and nothing more comes."""
        self._fill()
        while self._running:
            ended, _, trial = heapq.heappop(self._running)
            self.clock.now = max(self.clock.now, ended)
            self.epochs_done += 1
            self._deal_with(trial)
            self._fill()

    # What the scheduler asks of Ray's controller.

    def get_trials(self) -> list[VirtualTrial]:
        return list(self._trials.values())

    get_live_trials = get_trials

    def stop_trial(self, trial: VirtualTrial) -> None:
        """Close a trial that waits, as Ray does."""
        self._scheduler.on_trial_remove(self, trial)
        self._searcher.on_trial_complete(trial.trial_id)
        self._end(trial)

    def _fill(self) -> None:
        while len(self._running) < self._slots:
            trial = self._next()
            if trial is None:
                return
            trial.status = Trial.RUNNING
            self._train(trial)

    def _next(self) -> VirtualTrial | None:
        chosen = self.clock.charge("choose", lambda: self._scheduler.choose_trial_to_run(self))
        if chosen is not None:
            return cast("VirtualTrial", chosen)
        name = f"{len(self._trials)}-{self.clock.calls.get('suggest', 0)}"
        config = self.clock.charge("suggest", lambda: self._searcher.suggest(name))
        if not isinstance(config, dict):
            return None
        trial = self._trials[name] = VirtualTrial(name, config)
        self.clock.charge("choose", lambda: self._scheduler.on_trial_add(self, trial))
        self.last_start, self.busy_until_last_start = self.clock.now, self._slot_seconds()
        self._started += 1
        if self._started % 500 == 0:
            self._say()
        return trial

    def _say(self) -> None:
        clock = self.clock
        busy = self.busy_until_last_start / (self._slots * self.last_start)
        each = {what: round(1000 * spent / clock.calls[what], 2) for what, spent in clock.spent.items()}
        driver = sum(clock.spent.values()) / clock.now
        print(
            f"{self._started} started, {clock.now:.0f} s, busy {busy:.3f}, driver {driver:.2f}, ms {each}", flush=True
        )

    def _slot_seconds(self) -> float:
        """Seconds of training so far, of all slots together."""
        begun = (
            min(self.clock.now - (ends - self._epoch_seconds), self._epoch_seconds) for ends, _, _ in self._running
        )
        return self.epochs_done * self._epoch_seconds + sum(begun)

    def _train(self, trial: VirtualTrial) -> None:
        trial.epoch += 1
        heapq.heappush(self._running, (self.clock.now + self._epoch_seconds, next(self._order), trial))

    def _deal_with(self, trial: VirtualTrial) -> None:
        """What Ray does with a result (``TuneController._on_training_result``)."""
        value = self._value(trial.config, trial.epoch)
        reported = {**result(trial.epoch, value), "time_this_iter_s": self._epoch_seconds}
        trial.checkpoint = trial.epoch
        is_last = trial.epoch >= self._epochs
        action = TrialScheduler.STOP
        if not is_last:
            action = self.clock.charge("decide", lambda: self._scheduler.on_trial_result(self, trial, reported))
        if action == TrialScheduler.STOP:
            self.clock.charge("decide", lambda: self._scheduler.on_trial_complete(self, trial, reported))
            self.clock.charge("result", lambda: self._searcher.on_trial_complete(trial.trial_id, reported))
            self._end(trial)
            return
        self.clock.charge("result", lambda: self._searcher.on_trial_result(trial.trial_id, reported))
        if action == TrialScheduler.CONTINUE:
            self._train(trial)
        else:
            trial.status = Trial.PAUSED

    def _end(self, trial: VirtualTrial) -> None:
        trial.status = Trial.TERMINATED
        self._trials.pop(trial.trial_id, None)


def simulate(
    folder: Path, trials: int, slots: int, epochs: int, epoch_seconds: float, members: list[str], by_cpu: bool
) -> dict[str, Any]:
    """Run such a sweep on a journal file and say how busy its slots were, and what the driver took."""
    clock = Clock(sync_seconds(folder), syncs=count_syncs()) if by_cpu else Clock()
    config = sweep_config(folder, epochs=epochs, trials=trials, members=members)
    study, plan = open_sweep(config, folder / "run", new=True)
    rungs = build_rungs(config.scheduler, plan, study.trials())
    searcher = StudySearcher(study, plan, lambda number: None, lambda trial: Crash("none"), rungs)  # noqa: ARG005
    scheduler = build_scheduler(config.scheduler, plan, study.trials(), rungs=rungs, desk=searcher)
    distributions, rng = plan.space.distributions(), np.random.default_rng(0)

    def value(trial: dict[str, Any], epoch: int) -> float:
        return curve(trial["hyp"], distributions, epoch, epochs, rng)

    sweep = VirtualSweep(searcher, scheduler, slots, epochs, epoch_seconds, value, clock)
    began = time.perf_counter()
    sweep.run()
    states = Counter(trial.state.name for trial in study.trials())
    return {
        "trials": trials, "slots": slots, "members": members, "epochs_trained": sweep.epochs_done,
        "busy": round(sweep.epochs_done * epoch_seconds / (slots * clock.now), 3),
        "busy_until_last_start": round(
            sweep.busy_until_last_start / (slots * sweep.last_start), 3
        ),
        "virtual_s": round(clock.now, 1), "driver_busy": round(sum(clock.spent.values()) / clock.now, 3),
        "suggestions_per_s": round(trials / sweep.last_start, 1), "states": states,
        "mean_ms": {k: round(1000 * s / clock.calls[k], 2) for k, s in clock.spent.items()}, "calls": clock.calls,
        "charged": "cpu" if by_cpu else "wall", "sync_ms": round(1000 * (clock.sync_seconds or 0), 2),
        "driver_rss_mb": round(psutil.Process().memory_info().rss / 1e6),
        "journal_mb": round((folder / "run" / JOURNAL).stat().st_size / 1e6, 1),
        "real_s": round(time.perf_counter() - began, 1),
    }  # fmt: skip
