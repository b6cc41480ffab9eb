from __future__ import annotations

from collections.abc import Callable

import pytest
from optuna.trial import TrialState

from search.report.facts import Facts, curve, gather, importances, progress, rungs
from search.results import read_run
from search.space import load_space
from search.study import SweepStudy
from tests.search.conftest import SweepFiles

pytestmark = pytest.mark.timeout(60)  # Optuna's importances import scikit-learn
Write = Callable[..., SweepStudy]


def facts_of(files: SweepFiles) -> Facts:
    config, study = read_run(files.run)
    return gather(study, config, load_space(config.space))


def test_progress_rises_and_ends_with_all_epochs_of_ended_trials(finished: Write, files: SweepFiles) -> None:
    finished()
    facts = facts_of(files)
    epochs, values = progress(facts)

    ended = [t for t in facts.trials if t.state.is_finished()]
    assert values == sorted(values)
    assert values[-1] == max(t.value for t in ended if t.state == TrialState.COMPLETE and t.value is not None)
    assert epochs[-1] == sum(int(t.user_attrs["last"]["epochs_run"]) for t in ended)
    assert values[0] == facts.trials[0].value


def test_of_a_metric_that_is_minimized_the_best_falls(finished: Write, files: SweepFiles) -> None:
    finished(mode="min")
    _, values = progress(facts_of(files))
    assert values == sorted(values, reverse=True)


def test_rungs_count_who_reached_them_and_how_they_ranked(finished: Write, files: SweepFiles) -> None:
    finished()
    facts = facts_of(files)
    found = {rung.epoch: rung for rung in rungs(facts)}

    lasts = [max(t.intermediate_values) for t in facts.trials]
    assert found[3].reached == sum(last >= 3 for last in lasts)
    assert sum(rung.ended for rung in found.values()) == len(facts.trials)
    assert found[1].correlation == pytest.approx(1.0)  # the drawn curves never cross
    assert found[9].correlation is None


def test_few_trials_have_no_correlation_and_no_importance(finished: Write, files: SweepFiles) -> None:
    finished(trials=4)
    facts = facts_of(files)
    assert all(rung.correlation is None for rung in rungs(facts))
    assert importances(read_run(files.run)[1]) == {}


def test_the_parameter_that_decides_is_the_important_one(finished: Write, files: SweepFiles) -> None:
    finished(trials=90)
    found = importances(read_run(files.run)[1])
    assert next(iter(found)) == "momentum"
    assert sum(found.values()) == pytest.approx(1.0)


def test_values_that_are_no_numbers_are_not_drawn(finished: Write, files: SweepFiles) -> None:
    finished()
    failed = next(t for t in facts_of(files).trials if t.state == TrialState.FAIL)
    epochs, values = curve(failed)
    assert len(epochs) == len(values) == len(failed.intermediate_values) - 1
