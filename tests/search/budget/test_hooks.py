"""The guard between Ray and the scheduler that decides, each told what Ray would tell it."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.trial import TrialState
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.assembly import Sweep
from search.budget.config import BudgetConfig
from search.budget.end import CUT_OFF, Ended, close_for_good
from search.budget.guard import BudgetGuard
from search.budget.hooks import BudgetCallback, BudgetScheduler
from search.config_files import kept_files
from search.drivers import driver
from search.keys import FAILURE_KIND, STOPPED_BY
from search.study import SweepStudy
from search.sweep import resume_sweep
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_results import add

NOBODY: Any = None


class Scripted(FIFOScheduler):
    """Decides what it is told to, and notes what it hears."""

    def __init__(self, decision: str) -> None:
        super().__init__()
        self.decision, self.heard, self.next = decision, [], None

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Any) -> str:
        return self.decision

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: Any) -> None:
        self.heard.append("complete")

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        self.heard.append("remove")

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        self.heard.append("choose")
        return self.next


def ray_trial(number: int, status: str = Trial.RUNNING) -> Any:
    return SimpleNamespace(config={"trial_number": number}, status=status)


@pytest.fixture
def study(files: SweepFiles) -> SweepStudy:
    return open_tiny(files)[0]


def test_only_what_the_inner_scheduler_lets_go_on_is_held(study: SweepStudy) -> None:
    guard = BudgetGuard(BudgetConfig(epochs=1), study)
    BudgetCallback(guard).on_trial_start(0, [], ray_trial(0))
    for decision in (TrialScheduler.STOP, TrialScheduler.PAUSE):
        inner = Scripted(decision)
        assert BudgetScheduler(inner, guard).on_trial_result(NOBODY, ray_trial(0), {}) == decision
        assert not guard.holds(0)
    guard.begin(0)
    inner = Scripted(TrialScheduler.CONTINUE)
    scheduler = BudgetScheduler(inner, guard)
    assert scheduler.on_trial_result(NOBODY, ray_trial(0), {}) == TrialScheduler.STOP
    scheduler.on_trial_complete(NOBODY, ray_trial(0), {})
    guard.put_back(0)
    scheduler.on_trial_complete(NOBODY, ray_trial(0), {})
    assert inner.heard == ["remove", "complete"]


def test_a_trial_is_woken_only_if_an_epoch_fits_and_has_it_reserved_then(study: SweepStudy) -> None:
    guard = BudgetGuard(BudgetConfig(epochs=1), study)
    inner = Scripted(TrialScheduler.CONTINUE)
    inner.next = ray_trial(3, Trial.PAUSED)
    scheduler = BudgetScheduler(inner, guard)
    assert scheduler.choose_trial_to_run(NOBODY) is inner.next
    assert scheduler.choose_trial_to_run(NOBODY) is None
    assert inner.heard == ["choose"]  # it takes note of whom it wakes, so it is not asked in vain
    BudgetCallback(guard).on_trial_error(0, [], ray_trial(add(study, None, [])))
    guard.rest(3)
    assert scheduler.choose_trial_to_run(NOBODY) is inner.next


def test_ray_may_pickle_the_callback(study: SweepStudy) -> None:
    pickle.dumps(BudgetCallback(BudgetGuard(BudgetConfig(), study)))


def test_what_a_goal_cuts_off_is_closed_for_good(study: SweepStudy) -> None:
    add(study, TrialState.COMPLETE, [0.1, 0.9])
    add(study, None, [0.2, 0.3])
    add(study, None, [])
    close_for_good(study, Ended("target", "budget.target 0.5 is reached: 0.9"))
    kept, pruned, failed = study.trials()
    assert kept.value == 0.9
    assert (pruned.state, pruned.value, pruned.user_attrs[STOPPED_BY]) == (TrialState.PRUNED, 0.3, "budget.target")
    assert (failed.state, failed.user_attrs[FAILURE_KIND]) == (TrialState.FAIL, CUT_OFF)


def test_what_a_killed_driver_left_is_closed_by_the_next_one(files: SweepFiles) -> None:
    """The target was reached, and the kill came before the others were closed; or the target was lowered."""
    config = files.config(budget={"target": 0.5})
    files.run.mkdir()
    for name, text in kept_files(config).items():
        (files.run / name).write_text(text)
    with driver(files.run) as killed:
        study = Sweep(config, files.run).open(killed, new=True)
        add(study, TrialState.COMPLETE, [0.1, 0.9])
        add(study, None, [0.2, 0.3])
        add(study, None, [])
    for _ in range(2):
        result = resume_sweep(files.run)
        assert result.ended is not None
        assert result.ended.budget == "target"
        assert result.states == {"COMPLETE": 1, "PRUNED": 1, "FAIL": 1}


def test_how_to_go_on() -> None:
    assert Ended("hours", "").remedy == "--budget hours=MORE"
    assert Ended("plateau", "").remedy == "--budget plateau=null"
    assert not Ended("epochs", "").final
