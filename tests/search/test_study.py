from __future__ import annotations

import os
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from search.drivers import Driver, driver
from search.journal import JOURNAL
from search.keys import LAST
from search.opening import open_study
from search.samplers import build_sampler
from search.space import load_space
from search.study import SweepStudy
from tests.search.conftest import SweepFiles, open_tiny


def test_a_driver_takes_over_what_a_dead_one_left_and_leaves_a_live_ones_alone(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    orphan = study.draw()  # of a study from before drivers had numbers
    config = files.config()
    space = load_space(config.space)

    def opened(who: Driver) -> SweepStudy:
        sampler = build_sampler(config.sampler, space, config.seed)
        return open_study(config, files.run, space, sampler, new=False, driver=who)

    with driver(files.run) as first:
        one = opened(first)
        assert [t.number for t in one.take_over()] == [orphan.number]
        own = one.draw()
        with driver(files.run, join=True) as second:
            two = opened(second)
            assert two.take_over() == two.free() == []
            assert [t.number for t in one.own()] == [orphan.number, own.number]
            new = two.draw()
            assert [t.number for t in two.own()] == [new.number]
            assert new.params != own.params
        with driver(files.run, join=True) as third:
            three = opened(third)
            assert [t.number for t in one.free()] == [orphan.number, own.number, new.number]
            assert [t.number for t in one.own()] == [orphan.number, own.number]  # what died beside it waits
            assert [t.number for t in three.take_over()] == [new.number]


def test_the_trials_of_a_sweep_are_counted_across_drivers(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    for _ in range(3):
        study.draw()
    assert study.draw_below(3) is None
    assert study.draw_below(4) is not None
    assert study.started() == 4


def test_a_trial_that_a_kill_left_half_drawn_gets_the_rest(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    study.draw()
    half: Trial = study.study.ask()
    lr0 = half.suggest_float("lr0", 1e-4, 1.0, log=True)
    reopened, _ = open_tiny(files, new=False)
    (left,) = [t for t in reopened.trials(TrialState.RUNNING) if t.number == half.number]
    assert left.params.keys() == {"lr0"}
    whole = reopened.complete(left)
    assert whole.params["lr0"] == lr0
    assert 0.1 <= whole.params["momentum"] <= 0.98
    assert whole.user_attrs["sampler"] == "random"


def test_a_whole_trial_is_left_as_it_is(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    trial = study.draw()
    assert study.complete(trial) is trial


def test_an_epoch_that_was_trained_again_takes_its_new_value(
    files: SweepFiles, recwarn: pytest.WarningsRecorder
) -> None:
    study, _ = open_tiny(files)
    number = study.draw().number
    study.report(number, 1, 0.5)
    study.report(number, 1, 0.25)
    assert study.trial(number).intermediate_values == {1: 0.25}
    assert not recwarn.list


def test_a_pruned_trial_takes_the_value_of_its_newest_epoch(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    number = study.draw().number
    study.report(number, 1, 0.9)
    study.report(number, 2, 0.4)
    study.finish(number, TrialState.PRUNED)
    assert study.trial(number).value == 0.4


@pytest.mark.parametrize(("mode", "expected"), [("max", True), ("min", False)])
def test_better_follows_the_mode(files: SweepFiles, mode: str, expected: bool) -> None:
    study: SweepStudy
    study, _ = open_tiny(files, mode=mode)
    assert study.better(2.0, than=1.0) is expected


def records(files: SweepFiles) -> int:
    return (files.run / JOURNAL).read_bytes().count(b"\n")


def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the syncs of the disk: one for each write of the journal."""
    count, sync = [0], os.fsync

    def counted(descriptor: int) -> None:
        count[0] += 1
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    return count


def test_what_is_told_together_is_one_write(files: SweepFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    study, _ = open_tiny(files)
    number = study.draw().number
    before, syncs = records(files), synced(monkeypatch)
    with study.together():
        study.report(number, 1, 0.5)
        study.note(number, LAST, {"epoch": 1})
        study.finish(number, TrialState.PRUNED)
    assert (records(files), syncs) == (before + 3, [1])
    told = study.trial(number)
    assert (told.state, told.value, told.intermediate_values) == (TrialState.PRUNED, 0.5, {1: 0.5})
    assert told.datetime_complete is not None


def test_a_failure_is_one_write(files: SweepFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    study, _ = open_tiny(files)
    number, syncs = study.draw().number, synced(monkeypatch)
    study.finish(number, TrialState.FAIL, reason="diverged", kind="diverged")
    assert syncs == [1]
    assert (study.failed(), study.has_epochs()) == (1, False)


def test_a_trial_that_has_ended_takes_no_other_end(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    number = study.draw().number
    study.finish(number, TrialState.COMPLETE, 0.5)
    with pytest.raises(UpdateFinishedTrialError):
        study.finish(number, TrialState.FAIL, reason="late", kind="crash")
    assert study.trial(number).state == TrialState.COMPLETE  # and what else was refused is not said later
    assert study.draw().number == number + 1


def test_together_works_on_any_storage(files: SweepFiles) -> None:
    study, _ = open_tiny(files, study_storage=f"sqlite:///{files.folder}/study.db")
    number = study.draw().number
    with study.together():
        study.report(number, 2, 0.25)
        study.finish(number, TrialState.PRUNED)
    assert (study.trial(number).value, study.started()) == (0.25, 1)


def test_a_database_is_not_asked_for_all_trials_by_a_result(files: SweepFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    study, _ = open_tiny(files, study_storage=f"sqlite:///{files.folder}/study.db")
    drawn = [study.draw().number for _ in range(3)]
    asked: list[object] = []
    real = study._storage._storage
    get_all_trials = real.get_all_trials

    def counted(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments)
        return get_all_trials(*arguments, **options)

    monkeypatch.setattr(real, "get_all_trials", counted)
    for number in drawn:
        with study.together():
            study.report(number, 1, 0.5)
            study.note(number, LAST, {"epoch": 1})
        assert study.trial(number).intermediate_values == {1: 0.5}
    study.finish(drawn[0], TrialState.COMPLETE, 0.5)
    assert study.trial(drawn[0]).state == TrialState.COMPLETE
    assert asked == []
    study.draw()
    assert len(asked) <= 4


@pytest.mark.parametrize("ended", [20, 200])
def test_what_a_trial_costs_does_not_grow_with_the_study(files: SweepFiles, ended: int) -> None:
    """A suggestion, an epoch and an end: trials that are looked at, records and syncs, whatever the number before."""
    study, _ = open_tiny(files, sampler={"members": ["ga", "tpe"]}, trials=10**6)
    study.draw()
    space: dict[str, BaseDistribution] = {"lr0": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True)}
    for _ in range(ended):
        study.study.add_trial(optuna.trial.create_trial(params={"lr0": 0.1}, distributions=space, value=0.5))
    history = study._storage.history
    assert study.started() == ended + 1
    visited, written = history.visited, records(files)
    drawn = study.draw()
    with study.together():
        study.report(drawn.number, 1, 0.5)
        study.note(drawn.number, LAST, {"epoch": 1})
    study.finish(drawn.number, TrialState.COMPLETE, 0.5)
    assert (history.visited - visited, records(files) - written) == (3, 5)
