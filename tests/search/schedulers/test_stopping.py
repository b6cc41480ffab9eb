from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.schedulers.build import build_rungs, build_scheduler
from search.schedulers.config import SchedulerConfig
from search.schedulers.stopping import RuleScheduler, StudyASHA
from tests.search.schedulers.plans import Plan

CONFIG = SchedulerConfig(type="asha_stop", grace_period=1, reduction_factor=3)


@dataclass
class RayTrial:
    """What a scheduler sees of Ray's trial."""

    number: int
    trial_id: str
    config: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.config = {"trial_number": self.number}


def build(history: list[FrozenTrial] | None = None, mode: str = "max") -> StudyASHA:
    scheduler = build_scheduler(CONFIG, Plan(mode=mode), history or [])
    return cast("StudyASHA", scheduler)


def old(number: int, values: dict[int, float], state: TrialState = TrialState.PRUNED) -> FrozenTrial:
    trial = create_trial(state=state, intermediate_values=values, value=next(iter(values.values()), None))
    trial.number = number
    return trial


def result(scheduler: StudyASHA, trial: RayTrial, epoch: int, value: float) -> str:
    controller: Any = None
    return scheduler.on_trial_result(controller, cast("Any", trial), {"epoch": epoch, "fitness": value})


def start(scheduler: StudyASHA, number: int, trial_id: str = "ray") -> RayTrial:
    trial = RayTrial(number, f"{trial_id}{number}")
    controller: Any = None
    scheduler.on_trial_add(controller, cast("Any", trial))
    return trial


def test_the_worse_at_a_rung_are_stopped_and_rungs_are_epochs() -> None:
    scheduler = build()
    for number, value in enumerate([0.5, 0.6, 0.7]):
        assert result(scheduler, start(scheduler, number), 1, value) == TrialScheduler.CONTINUE
    loser = start(scheduler, 3)
    assert result(scheduler, loser, 1, 0.1) == TrialScheduler.STOP
    winner = start(scheduler, 4)
    assert result(scheduler, winner, 1, 0.9) == TrialScheduler.CONTINUE
    assert result(scheduler, winner, 2, 0.0) == TrialScheduler.CONTINUE  # no rung here


def test_values_of_earlier_drivers_count_in_the_rungs() -> None:
    history = [old(n, {1: 0.8 + n / 100}) for n in range(5)]
    scheduler = build(history)
    assert result(scheduler, start(scheduler, 9), 1, 0.5) == TrialScheduler.STOP
    empty = build()
    assert result(empty, start(empty, 9), 1, 0.5) == TrialScheduler.CONTINUE


def test_a_resumed_trial_is_not_judged_again_at_a_rung_that_it_passed() -> None:
    history = [old(0, {1: 0.2, 2: 0.3}, TrialState.RUNNING), *(old(n, {1: 0.8}) for n in range(1, 6))]
    scheduler = build(history)
    assert result(scheduler, start(scheduler, 0, "new_id"), 2, 0.3) == TrialScheduler.CONTINUE
    assert result(scheduler, start(scheduler, 7), 2, 0.3) == TrialScheduler.STOP  # a new one is


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_what_is_no_finite_number_is_stopped_and_kept_out_of_the_rungs(value: float, mode: str) -> None:
    scheduler = build(mode=mode)
    controller: Any = None
    for number in range(6):
        trial = start(scheduler, number)
        assert result(scheduler, trial, 1, value) == TrialScheduler.STOP
        scheduler.on_trial_complete(controller, cast("Any", trial), {"epoch": 1, "fitness": value})
    sign = 1 if mode == "max" else -1
    for number, good in enumerate([0.5, 0.6, 0.7], start=10):
        assert result(scheduler, start(scheduler, number), 1, sign * good) == TrialScheduler.CONTINUE
    assert result(scheduler, start(scheduler, 20), 1, sign * 0.1) == TrialScheduler.STOP


def test_diverged_trials_in_the_history_do_no_harm() -> None:
    scheduler = build([old(0, {1: math.inf}), old(1, {1: math.nan}), old(2, {1: 0.5})])
    assert result(scheduler, start(scheduler, 3), 1, 0.6) == TrialScheduler.CONTINUE


def test_a_trial_that_crashed_and_began_again_keeps_its_place() -> None:
    scheduler = build()
    trial = start(scheduler, 0)
    result(scheduler, trial, 1, 0.5)
    start(scheduler, 0)  # Ray adds it again
    assert result(scheduler, trial, 1, 0.4) == TrialScheduler.CONTINUE


def test_a_trial_stops_at_its_last_epoch() -> None:
    scheduler = build()
    assert result(scheduler, start(scheduler, 0), 9, 0.5) == TrialScheduler.STOP


def test_none_never_stops() -> None:
    scheduler = build_scheduler(SchedulerConfig(type="none"), Plan())
    assert type(scheduler) is FIFOScheduler


@pytest.mark.parametrize("kind", ["asha_stop", "median", "none"])
def test_these_never_pause(kind: Any) -> None:
    assert build_rungs(SchedulerConfig(type=kind), Plan()) is None


def test_median_compares_with_the_trials_of_earlier_drivers() -> None:
    config = SchedulerConfig(type="median", grace_period=2, min_samples=3)
    history = [old(n, {1: 0.5, 2: 0.5 + n / 10}) for n in range(3)]
    scheduler = cast("StudyASHA", build_scheduler(config, Plan(), history))
    assert isinstance(scheduler, RuleScheduler)
    loser, winner = RayTrial(7, "a"), RayTrial(8, "b")
    assert [result(scheduler, loser, epoch, 0.4) for epoch in (1, 2)] == [TrialScheduler.CONTINUE, TrialScheduler.STOP]
    assert [result(scheduler, winner, epoch, 0.6) for epoch in (1, 2)] == [TrialScheduler.CONTINUE] * 2
    assert result(scheduler, winner, 3, math.nan) == TrialScheduler.STOP
