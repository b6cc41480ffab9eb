from __future__ import annotations

import math

import pytest
from optuna.trial import TrialState

from data_prep.errors import DataMissingError, ImageError, InputError, WorkFailedError
from search.fatal import HOPELESS
from search.keys import FAILURE, FAILURE_KIND
from tests.search.conftest import SweepFiles
from tests.search.test_searcher import build, step


@pytest.mark.parametrize("last", [False, True])
def test_a_metric_that_is_not_reported_ends_the_sweep(files: SweepFiles, last: bool) -> None:
    searcher, _ = build(files, metric="map_50")
    searcher.suggest("a")
    if last:
        searcher.on_trial_complete("a", step(9, 0.5))
    else:
        searcher.on_trial_result("a", step(1, 0.5))
    assert isinstance(searcher.error, InputError)
    assert "map_50" in str(searcher.error)
    assert "map50" in str(searcher.error)


@pytest.mark.parametrize(("kind", "error"), [("data", DataMissingError), ("image", ImageError)])
def test_what_every_trial_would_meet_ends_the_sweep_and_fails_no_trial(
    files: SweepFiles, kind: str, error: type[Exception]
) -> None:
    searcher, study = build(files)
    for trial_id in "ab":
        searcher.suggest(trial_id)
        searcher.on_trial_result(trial_id, step(1, 0.5))
    for trial_id in "ab":  # the second one meets it, too, before it is stopped
        searcher.on_trial_complete(trial_id, step(2, math.nan, failure=f"{trial_id} is gone", failure_kind=kind))
    assert type(searcher.error) is error
    assert str(searcher.error) == "a is gone"
    assert [t.state for t in study.trials()] == [TrialState.RUNNING] * 2
    assert FAILURE not in study.trial(0).user_attrs
    resumed, _ = build(files, new=False, checkpoint="/somewhere")
    assert resumed.error is None
    assert resumed.suggest("c")["trial_number"] == 0  # type: ignore[index]


def test_trials_that_are_too_large_for_the_gpu_from_the_first_on_end_the_sweep(files: SweepFiles) -> None:
    searcher, study = build(files)
    for trial_id in map(str, range(HOPELESS)):
        assert searcher.error is None
        searcher.suggest(trial_id)
        searcher.on_trial_complete(trial_id, step(1, math.nan, failure="too large", failure_kind="memory"))
    assert isinstance(searcher.error, WorkFailedError)
    assert {t.user_attrs[FAILURE_KIND] for t in study.trials(TrialState.FAIL)} == {"memory"}


def test_trials_that_diverge_from_the_first_on_do_not(files: SweepFiles) -> None:
    searcher, _ = build(files)
    for trial_id in map(str, range(2 * HOPELESS)):
        searcher.suggest(trial_id)
        searcher.on_trial_complete(trial_id, step(1, math.nan, failure="NaN", failure_kind="diverged"))
    assert searcher.error is None


def test_first_trials_that_all_crash_end_the_sweep(files: SweepFiles) -> None:
    searcher, _ = build(files)
    for trial_id in map(str, range(HOPELESS)):
        assert searcher.error is None
        searcher.suggest(trial_id)
        searcher.on_trial_complete(trial_id, None, error=True)
    assert isinstance(searcher.error, WorkFailedError)


def test_crashes_beside_working_trials_do_not(files: SweepFiles) -> None:
    searcher, _ = build(files)
    searcher.suggest("good")
    searcher.on_trial_result("good", step(1, 0.5))
    for trial_id in map(str, range(HOPELESS)):
        searcher.suggest(trial_id)
        searcher.on_trial_complete(trial_id, None, error=True)
    assert searcher.error is None
