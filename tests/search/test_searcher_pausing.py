"""What the searcher does for a scheduler that pauses and promotes."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search.crashes import Crash
from search.keys import LAST
from search.samplers.keys import PAUSED_KEY, is_paused
from search.schedulers.build import build_rungs
from search.schedulers.config import SchedulerConfig
from search.schedulers.rungs import Decision, Rungs
from search.searcher import StudySearcher
from search.study import SweepStudy
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_searcher import step

ASHA = SchedulerConfig(grace_period=2, reduction_factor=2, finish_start=False)


def build(files: SweepFiles, *, new: bool = True, **changes: Any) -> tuple[StudySearcher, SweepStudy, Rungs]:
    study, plan = open_tiny(files, new=new, **changes)
    rungs = build_rungs(ASHA, plan, study.trials())
    assert rungs is not None
    return StudySearcher(study, plan, "/store/{}".format, lambda _: Crash("crashed"), rungs), study, rungs


def report(searcher: StudySearcher, rungs: Rungs, trial_id: str, number: int, epoch: int, value: float) -> Decision:
    """As Ray does: the scheduler first, then the searcher."""
    decision = rungs.record(number, epoch, value)
    searcher.on_trial_result(trial_id, step(epoch, value))
    return decision


def test_a_pause_is_one_note_beside_the_values_and_a_promotion_another(
    files: SweepFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher, study, rungs = build(files)
    searcher.suggest("a")
    report(searcher, rungs, "a", 0, 1, 0.1)
    written: list[str] = []
    note, value = study.note, study.report
    monkeypatch.setattr(study, "note", lambda n, key, v: (written.append(key), note(n, key, v)))
    monkeypatch.setattr(study, "report", lambda *args: (written.append("value"), value(*args)))
    assert report(searcher, rungs, "a", 0, 2, 0.2) is Decision.WAIT
    assert written == ["value", PAUSED_KEY, LAST, "best"]
    assert is_paused(study.trial(0))
    assert study.trial(0).user_attrs[PAUSED_KEY] == 2
    written.clear()
    searcher.park(0)
    searcher.take_up(0)
    rungs.promote(0)
    assert not is_paused(study.trial(0))
    report(searcher, rungs, "a", 0, 3, 0.3)
    assert written == [PAUSED_KEY, "value", LAST, "best"]


def test_trials_that_wait_are_not_at_work(files: SweepFiles) -> None:
    searcher, _, rungs = build(files, max_concurrent=1, trials=9)
    searcher.suggest("a")
    assert report(searcher, rungs, "a", 0, 2, 0.2) is Decision.WAIT
    assert searcher.suggest("b") is None  # its checkpoint is being written
    searcher.park(0)
    assert searcher.has_room()
    assert searcher.suggest("b")
    assert not searcher.has_room()
    assert report(searcher, rungs, "b", 1, 2, 0.1) is Decision.WAIT
    searcher.park(1)
    assert rungs.promotable() == 0
    assert searcher.suggest("c") is None  # the place is that of trial 0
    assert rungs.promote(0) == 2
    searcher.take_up(0)
    assert not searcher.has_room()


def test_the_sweep_is_not_finished_while_one_may_be_promoted(files: SweepFiles) -> None:
    searcher, study, rungs = build(files, trials=2)
    for number, trial_id in enumerate("ab"):
        searcher.suggest(trial_id)
        assert not searcher.is_over()
        report(searcher, rungs, trial_id, number, 2, 0.5 - number / 10)
    assert searcher.suggest("c") is None
    searcher.park(0)
    assert searcher.suggest("c") is None  # trial 1 is still at work
    searcher.park(1)
    assert rungs.promotable() == 0
    assert searcher.suggest("c") is None  # trial 0 will be
    rungs.promote(0)
    searcher.take_up(0)
    assert not searcher.is_over()
    assert not searcher.has_full_training(())
    searcher.on_trial_complete("a", step(9, 0.9))
    assert searcher.has_full_training(())
    assert searcher.suggest("c") == Searcher.FINISHED
    assert searcher.is_over()
    searcher.on_trial_complete("b")
    assert (study.trial(1).state, study.trial(1).value) == (TrialState.PRUNED, 0.4)


def test_after_a_resume_those_that_wait_come_first_and_take_no_place(files: SweepFiles) -> None:
    searcher, study, rungs = build(files, trials=5)
    for number, trial_id in enumerate("abcd"):
        searcher.suggest(trial_id)
        if number:
            report(searcher, rungs, trial_id, number, 2, [0.0, 0.3, 0.2, 0.1][number])
    assert rungs.waiting == {1: 2, 2: 2, 3: 2}  # 1 is the better of the first two
    report(searcher, rungs, "a", 0, 1, 0.4)
    again, _, resumed = build(files, new=False, trials=5, max_concurrent=1)
    assert resumed.waiting == rungs.waiting
    handed = []
    for trial_id in "wxy":
        config = again.suggest(trial_id)
        assert config is not None
        assert config["checkpoint"] is None
        handed.append(config["trial_number"])
        again.park(config["trial_number"])
    assert handed == [1, 2, 3]
    left = again.suggest("z")  # before the one that is promotable
    assert left is not None
    assert (left["trial_number"], left["checkpoint"]) == (0, "/store/0")
    assert again.has_begun(0)
    assert not again.has_begun(1)
    assert again.left_checkpoint(1) == "/store/1"
    assert again.suggest("v") is None
    assert study.started() == 4


def test_a_kill_between_the_value_of_a_rung_and_the_decision_leaves_a_trial_that_waits(files: SweepFiles) -> None:
    searcher, study, rungs = build(files)
    for number, trial_id in enumerate("abc"):
        searcher.suggest(trial_id)
        report(searcher, rungs, trial_id, number, 1, 0.1)
    study.report(0, 2, 0.5)  # and no more was written
    report(searcher, rungs, "b", 1, 2, 0.4)
    rungs.promote(1)
    searcher.take_up(1)  # promoted, and killed before its next epoch was over
    study.report(2, 1, 0.1)
    _, _, resumed = build(files, new=False)
    assert resumed.waiting == {0: 2}


def test_another_scheduler_after_a_resume_trains_those_that_waited(files: SweepFiles) -> None:
    searcher, study, rungs = build(files)
    searcher.suggest("a")
    report(searcher, rungs, "a", 0, 2, 0.5)
    _, plan = open_tiny(files, new=False)
    assert build_rungs(SchedulerConfig(type="none"), plan, study.trials()) is None
    other = StudySearcher(study, plan, "/store/{}".format, lambda _: Crash("crashed"))
    config = other.suggest("b")
    assert config is not None
    assert (config["trial_number"], config["checkpoint"]) == (0, "/store/0")
    other.on_trial_result("b", step(3, 0.6))
    assert not is_paused(study.trial(0))


def test_trial_0_is_judged_at_no_rung(files: SweepFiles) -> None:
    """Its values count, and it is no full training of the sweep's own."""
    study, plan = open_tiny(files, new=True)
    rungs = build_rungs(SchedulerConfig(grace_period=2, reduction_factor=2), plan, study.trials())
    assert rungs is not None
    searcher = StudySearcher(study, plan, "/store/{}".format, lambda _: Crash("crashed"), rungs)
    searcher.suggest("a")
    searcher.suggest("b")
    assert report(searcher, rungs, "b", 1, 2, 0.1) is Decision.WAIT
    assert report(searcher, rungs, "a", 0, 2, 0.2) is Decision.GO_ON
    assert not is_paused(study.trial(0))
    assert rungs.promotable() is None  # the one place of two is that of trial 0
    searcher.on_trial_complete("a", step(9, 0.9))
    assert study.trial(0).state == TrialState.COMPLETE
    assert searcher.has_full_training(())
    assert not searcher.has_full_training((0,))


def test_trial_0_goes_on_after_a_resume_though_it_waited(files: SweepFiles) -> None:
    searcher, study, rungs = build(files)
    searcher.suggest("a")
    assert report(searcher, rungs, "a", 0, 2, 0.5) is Decision.WAIT
    _, plan = open_tiny(files, new=False)
    resumed = build_rungs(SchedulerConfig(grace_period=2, reduction_factor=2), plan, study.trials())
    assert resumed is not None
    assert resumed.waiting == {}
    again = StudySearcher(study, plan, "/store/{}".format, lambda _: Crash("crashed"), resumed)
    config = again.suggest("b")
    assert config is not None
    assert (config["trial_number"], config["checkpoint"]) == (0, "/store/0")
    assert not is_paused(study.trial(0))  # at once: what waits may lose its checkpoint
    assert report(again, resumed, "b", 0, 3, 0.6) is Decision.GO_ON
