"""CurveGPSampler: what it learns from, and that it depends on the study and the seed alone."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from data_prep.errors import InputError
from search.samplers import PAUSED_KEY, CurveGPSampler
from search.samplers._observed import observed
from tests.search.samplers.studies import finished, study_of
from trainable.failures import DIVERGED, FAILURE_KIND

SPACE = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}
EPOCHS = 9


def _curve(x: float, y: float, epochs: int) -> dict[int, float]:
    """Values that rise with the epochs; best at x = 0.8 and y = 0.2."""
    final = 1 - (x - 0.8) ** 2 - (y - 0.2) ** 2
    return {epoch: final * epoch / EPOCHS for epoch in range(1, epochs + 1)}


def _short(n: int, state: TrialState = TrialState.PRUNED) -> list[FrozenTrial]:
    """Trials on a grid that all ended (or wait) at the first rung."""
    trials = []
    for number in range(n):
        x, y = (number % 4) / 3, (number // 4 % 4) / 3
        trial = finished({"x": x, "y": y}, SPACE, steps=_curve(x, y, 3), state=state)
        if state is TrialState.RUNNING:
            trial.set_user_attr(PAUSED_KEY, 3)
        trials.append(trial)
    return trials


def _asked(study: optuna.Study, **options: int) -> dict[str, float]:
    study.sampler = CurveGPSampler(seed=3, n_startup_trials=4, **options)
    return study.ask(SPACE).params


@pytest.mark.parametrize("state", [TrialState.PRUNED, TrialState.RUNNING])
def test_it_learns_from_trials_that_never_finished(state: TrialState) -> None:
    params = _asked(study_of(*_short(16, state)))
    assert params["x"] == pytest.approx(0.8, abs=0.15)
    assert params["y"] == pytest.approx(0.2, abs=0.15)


def test_in_a_study_that_minimizes_it_goes_the_other_way() -> None:
    params = _asked(study_of(*_short(16), direction="minimize"))
    assert params["x"] < 0.3
    assert params["y"] > 0.7


def test_a_suggestion_depends_on_study_number_and_seed_alone() -> None:
    trials = _short(12)
    assert _asked(study_of(*trials)) == _asked(study_of(*trials))


def test_trials_in_training_push_the_next_ones_away() -> None:
    study = study_of(*_short(16))
    drawn = [_asked(study) for _ in range(6)]
    assert max(abs(params["x"] - drawn[0]["x"]) + abs(params["y"] - drawn[0]["y"]) for params in drawn[1:]) > 0.1
    assert len({(round(params["x"], 2), round(params["y"], 2)) for params in drawn}) > 3


def test_a_region_that_diverged_is_left_alone() -> None:
    trials = _short(16)
    for x in (0.7, 0.8, 0.9):
        for y in (0.1, 0.2, 0.3):
            trial = finished({"x": x, "y": y}, SPACE, state=TrialState.FAIL)
            trial.set_user_attr(FAILURE_KIND, DIVERGED)
            trials.append(trial)
    params = _asked(study_of(*trials))
    assert not (0.65 < params["x"] < 0.95 and 0.05 < params["y"] < 0.35)


def test_a_failure_of_the_machine_says_nothing() -> None:
    crashed = finished({"x": 0.8, "y": 0.2}, SPACE, state=TrialState.FAIL)
    assert observed([*_short(4), crashed], SPACE, 100, maximize=True)[-1].trial is not crashed


def test_values_count_at_every_rung_and_not_between() -> None:
    long = finished({"x": 0.1, "y": 0.1}, SPACE, value=0.7, steps=_curve(0.1, 0.1, EPOCHS))
    found = observed([*_short(4), long], SPACE, 100, maximize=True)
    assert [sorted(each.values) for each in found] == [[3], [3], [3], [3], [3, 9]]
    assert found[-1].values[9] == 0.7


def test_most_values_are_kept_from_the_best_and_the_newest() -> None:
    trials = _short(16)
    for number, trial in enumerate(trials):
        trial.number = number
    kept = [each.trial.number for each in observed(trials, SPACE, 8, maximize=True)]
    best = sorted(range(16), key=lambda n: (-trials[n].intermediate_values[3], n))[:4]
    newest = sorted(set(range(16)) - set(best))[-4:]
    assert kept == sorted([*best, *newest])


def test_trials_without_steps_are_compared_by_their_values() -> None:
    trials = [finished({"x": n / 9, "y": 0.5}, SPACE, value=-((n / 9 - 0.3) ** 2)) for n in range(10)]
    assert _asked(study_of(*trials))["x"] == pytest.approx(0.3, abs=0.15)


def test_values_that_are_no_numbers_are_no_values() -> None:
    trial = finished({"x": 0.1, "y": 0.1}, SPACE, steps={1: 0.2, 3: float("nan")}, state=TrialState.PRUNED)
    assert observed([trial], SPACE, 100, maximize=True) == []


def test_what_breaks_a_constraint_is_known_to_be_bad() -> None:
    trials = _short(16)
    refused = [finished({"x": 0.8, "y": y}, SPACE, state=TrialState.PRUNED) for y in (0.1, 0.2, 0.3)]
    for trial in refused:
        trial.set_constraint("size", 1.0)
    allowed = finished({"x": 0.8, "y": 0.2}, SPACE, state=TrialState.PRUNED)
    study = study_of(*trials, *refused, allowed)
    found = {each.trial.number: dict(each.values) for each in observed(study.trials, SPACE, 150, maximize=True)}
    worst = min(trial.intermediate_values[3] for trial in trials)
    assert [found.get(number) for number in range(16, 20)] == [{3: worst}] * 3 + [None]
    params = _asked(study)
    assert abs(params["x"] - 0.8) + abs(params["y"] - 0.2) > 0.2


@pytest.mark.parametrize("option", ["n_startup_trials", "max_values", "iterations"])
def test_numbers_below_one_are_refused(option: str) -> None:
    with pytest.raises(InputError, match=option):
        CurveGPSampler(**{option: 0})
