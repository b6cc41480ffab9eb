"""Target and plateau: what counts, and that a study says the same whoever reads it and when."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState, create_trial

from search.budget.config import BudgetConfig
from search.budget.end import Ended, close_for_good
from search.budget.goals import Goals
from search.budget.guard import BudgetGuard
from search.budget.report import read_states
from search.samplers.keys import PAUSED_KEY
from search.study import SweepStudy
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_results import add

PLATEAU = BudgetConfig.model_validate({"plateau": {"trials": 5, "min_delta": 0.05}})


def finished(study: SweepStudy, *values: float | None) -> None:
    """COMPLETE trials by value; None: a PRUNED one, NaN: a FAIL."""
    for value in values:
        if value is None:
            add(study, TrialState.PRUNED, [9.0])  # better than all, but stopped early
        elif math.isnan(value):
            add(study, TrialState.FAIL, [], reason="diverged")
        else:
            add(study, TrialState.COMPLETE, [0.0, value])


@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_target_is_reached_by_a_complete_trial_alone(files: SweepFiles, mode: str) -> None:
    study, _ = open_tiny(files, mode=mode)
    sign = 1 if mode == "max" else -1
    goals = Goals(BudgetConfig(target=0.5 * sign), study.better)
    values: list[float | None] = [None, 0.4 * sign, 0.5 * sign]
    seen = []
    for value in values:
        if value is None:
            add(study, TrialState.PRUNED, [9.0 * sign])
        else:
            add(study, TrialState.COMPLETE, [value])
        goals.replace(None, study.trials()[-1])
        seen.append(goals.reached())
    assert seen == [None, None, "target"]


def test_a_plateau_counts_trials_without_a_new_best(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    budget = BudgetConfig.model_validate({"plateau": {"trials": 3, "min_delta": 0.1}})
    finished(study, None, None, None, None, 0.5, None, math.nan, 0.55)  # nothing counts before the first COMPLETE
    assert Goals(budget, study.better, study.trials()).idle == 2
    finished(study, 0.7, 0.75)
    assert Goals(budget, study.better, study.trials()).idle == 1
    assert Goals(budget, study.better, study.trials()).best == 0.75
    finished(study, None, 0.79)
    assert Goals(budget, study.better, study.trials()).reached() == "plateau"
    finished(study, 0.81)
    assert Goals(budget, study.better, study.trials()).reached() is None


def test_a_plateau_is_the_same_told_one_by_one_or_read_from_the_study(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    budget = BudgetConfig.model_validate({"plateau": {"trials": 2}})
    live = Goals(budget, study.better)
    for value in (0.3, None, 0.5, 0.4, 0.5, math.nan, None, 0.6):
        finished(study, value)
        live.replace(None, study.trials()[-1])
        live.replace(None, study.trials()[-1])
        assert (live.idle, live.best) == (lambda g: (g.idle, g.best))(Goals(budget, study.better, study.trials()))


def test_a_trial_that_waits_counts_once(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    goals = Goals(BudgetConfig.model_validate({"plateau": {"trials": 5}}), study.better)
    finished(study, 0.5)
    number = add(study, None, [0.1])
    for trial in study.trials():
        goals.replace(None, trial)
    assert goals.idle == 0  # it trains
    study.note(number, PAUSED_KEY, 1)
    goals.replace(None, study.trial(number))
    assert goals.idle == 1
    study.note(number, PAUSED_KEY, None)
    study.finish(number, TrialState.PRUNED)
    goals.replace(None, study.trial(number))
    assert goals.idle == 1


class Counted:
    """The plateau as it is told in the documentation, counted while things happen."""

    def __init__(self, min_delta: float) -> None:
        self.min_delta, self.idle = min_delta, 0
        self.best: float | None = None
        self.waited: set[int] = set()

    def complete(self, number: int, value: float) -> None:
        if self.best is None or value > self.best + self.min_delta:
            self.best, self.idle = value, 0
        elif number not in self.waited:
            self.idle += 1

    def prune(self, number: int) -> None:
        self.idle += self.best is not None and number not in self.waited

    def wait(self, number: int) -> None:
        self.prune(number)
        self.waited.add(number)


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_plateau_is_the_same_live_and_rebuilt_at_every_moment(data: st.DataObject) -> None:
    """Trials begin, wait, go on, end and fail in any order."""
    with tempfile.TemporaryDirectory() as folder:
        files = SweepFiles(Path(folder))
        study, _ = open_tiny(files)
        guard, counted = BudgetGuard(PLATEAU, study), Counted(0.05)
        training: list[int] = []
        waiting: list[int] = []
        for _ in range(data.draw(st.integers(10, 25))):
            what = data.draw(st.sampled_from(["begin", "begin", "wait", "wait", "go on", "complete", "prune", "fail"]))
            if what == "begin" or not training:
                training.append(study.draw().number)
                continue
            if what == "go on":
                if waiting:
                    training.append(waiting.pop())
                    study.note(training[-1], PAUSED_KEY, None)
                continue
            number = training.pop(data.draw(st.integers(0, len(training) - 1)))
            if what == "wait":
                study.note(number, PAUSED_KEY, 1)
                counted.wait(number)
                waiting.append(number)
            elif what == "complete":
                value = data.draw(st.sampled_from([0.1, 0.2, 0.22, 0.3, 0.9]))
                study.report(number, 9, value)
                study.finish(number, TrialState.COMPLETE, value)
                counted.complete(number, value)
            elif what == "prune":
                study.finish(number, TrialState.PRUNED)
                counted.prune(number)
            else:
                study.finish(number, TrialState.FAIL, reason="diverged")
            guard.record(number)
            live = guard.states()
            assert live[0].used == counted.idle
            assert live == read_states(PLATEAU, study.study)
        again, _ = open_tiny(files, new=False)
        assert BudgetGuard(PLATEAU, again).states() == guard.states()


@given(data=st.data())
@settings(deadline=None)
def test_the_order_in_which_a_study_is_read_does_not_matter(data: st.DataObject) -> None:
    """Another driver's trials are seen late, and some at once."""
    trials = []
    for number, value in enumerate(data.draw(st.lists(st.sampled_from([0.1, 0.2, 0.3, None]), max_size=12))):
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        attrs = {} if value is None else {"settled": data.draw(st.integers(1, 12))}
        trials.append(create_trial(state=state, value=value, user_attrs=attrs))
        trials[-1].number = number
    order = data.draw(st.permutations(trials))
    one, other = (Goals(PLATEAU, lambda a, b: a > b, each) for each in (trials, order))
    assert (one.idle, one.best, one.reached()) == (other.idle, other.best, other.reached())


def test_a_plateau_is_not_counted_from_a_trial_that_is_spared(files: SweepFiles) -> None:
    """Trial 0 is COMPLETE long before any other can be."""
    study, _ = open_tiny(files)
    budget = BudgetConfig.model_validate({"plateau": {"trials": 3}, "target": 0.9})
    finished(study, 0.5, None, None, None, None)
    goals = Goals(budget, study.better, study.trials(), spared=(0,))
    assert (goals.idle, goals.best, goals.reached()) == (0, 0.5, None)
    assert Goals(budget, study.better, study.trials()).reached() == "plateau"
    finished(study, 0.4, None, None)  # the first that counts
    assert Goals(budget, study.better, study.trials(), spared=(0,)).idle == 2
    finished(study, 0.45, None, None, None)  # a new best of those that count
    assert Goals(budget, study.better, study.trials(), spared=(0,)).reached() == "plateau"


def test_a_target_may_be_reached_by_a_trial_that_is_spared(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    finished(study, 0.5)
    assert Goals(BudgetConfig(target=0.5), study.better, study.trials(), spared=(0,)).reached() == "target"


def test_what_the_end_of_a_sweep_cuts_off_is_no_trial_without_a_new_best(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    finished(study, 0.5, None, None, None, None, None)
    waits = add(study, None, [0.1])
    study.note(waits, PAUSED_KEY, 1)
    add(study, None, [0.1])
    before = read_states(PLATEAU, study.study)
    assert before[0].used == 6
    close_for_good(study, Ended("plateau", "6 trials in a row have brought no new best"))
    assert all(trial.state.is_finished() for trial in study.trials())
    assert read_states(PLATEAU, study.study) == before
