"""What the Gaussian process sees of a study."""

from __future__ import annotations

import copy
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from search.samplers import PAUSED_KEY
from search.samplers.gaussian_process import RungGPSampler
from tests.search.samplers.studies import finished, study_of

SPACE: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 1)}
STARTED = 4


class _Spy(RungGPSampler):
    """Notes what it fits and what is pending, and fits it."""

    seen: list[tuple[list[tuple[int, float]], list[int]]]

    def _sample_relative_impl(self, study: Any, done: list[FrozenTrial], running: list[FrozenTrial], space: Any) -> Any:
        self.seen.append(([(t.number, t.value or 0.0) for t in done], [t.number for t in running]))
        return super()._sample_relative_impl(study, done, running, space)


def _spy(most: int = 100) -> _Spy:
    sampler = _Spy(max_trials=most, n_startup_trials=STARTED, seed=0)
    sampler.seen = []
    return sampler


def _trial(x: float, steps: dict[int, float], state: TrialState = TrialState.PRUNED, paused: int | None = None) -> Any:
    value = steps[max(steps)] if state == TrialState.COMPLETE else None
    trial = finished({"x": x}, SPACE, value, steps, state)
    if paused is not None:
        trial.set_user_attr(PAUSED_KEY, paused)
    return trial


@pytest.mark.timeout(60)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_stopped_and_paused_trials_count_at_the_rung_that_enough_reached(direction: str) -> None:
    trials = [
        _trial(0.1, {1: 0.9}),
        _trial(0.2, {1: 0.1, 3: 0.5}),
        _trial(0.3, {1: 0.1, 3: 0.6}, TrialState.RUNNING, paused=3),
        _trial(0.4, {1: 0.1, 3: 0.7, 9: 0.1}, TrialState.COMPLETE),
        _trial(0.5, {1: 0.1, 3: 0.8}, TrialState.RUNNING),  # trains
        _trial(0.6, {1: 0.1, 3: 0.4}),
        _trial(0.7, {1: 0.1, 3: float("nan")}),
    ]
    sampler = _spy()
    study = study_of(*trials, sampler=sampler, direction=direction)
    before = [copy.deepcopy(trial) for trial in study.get_trials(deepcopy=False)]
    assert 0 <= study.ask(SPACE).params["x"] <= 1
    assert sampler.seen == [([(1, 0.5), (2, 0.6), (3, 0.7), (5, 0.4)], [4])]
    assert study.get_trials(deepcopy=False)[: len(before)] == before  # what it sees is a copy


@pytest.mark.timeout(60)
def test_it_is_random_until_enough_trials_stand() -> None:
    sampler = _spy()
    study = study_of(*[_trial(0.1 * i, {1: 0.5}) for i in range(STARTED - 1)], sampler=sampler)
    study.ask(SPACE)
    assert sampler.seen == []


@pytest.mark.timeout(60)
def test_beyond_the_bound_the_better_and_the_newer_half_are_fitted() -> None:
    sampler = _spy(most=6)
    study = study_of(*[_trial(i / 20, {1: -float(i)}) for i in range(20)], sampler=sampler)
    study.ask(SPACE)
    (fitted, pending), *_ = sampler.seen
    assert [number for number, _ in fitted] == [0, 1, 2, 17, 18, 19]
    assert pending == []


@pytest.mark.timeout(60)
def test_it_finds_a_maximum() -> None:
    study = study_of(sampler=RungGPSampler(max_trials=50, n_startup_trials=STARTED, seed=0))
    for _ in range(14):
        trial = study.ask(SPACE)
        study.tell(trial, -((trial.params["x"] - 0.3) ** 2))
    assert abs(study.best_params["x"] - 0.3) < 0.02
    assert study.trials[-1].state == optuna.trial.TrialState.COMPLETE


@pytest.mark.timeout(60)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("known", [4, 2])
def test_what_breaks_a_constraint_has_the_worst_value(direction: str, known: int) -> None:
    trials = [_trial(x, {3: 0.1 + x}) for x in (0.1, 0.2, 0.3, 0.4)]
    refused = [finished({"x": 0.9}, SPACE, state=TrialState.PRUNED) for _ in range(2)]
    for trial, excess in zip((*trials[:known], *refused), (*[-1.0] * known, 0.5, -1.0), strict=True):
        trial.set_constraint("size", excess)  # of the others it is not known: they were imported
    sampler = _spy()
    study_of(*trials, *refused, sampler=sampler, direction=direction).ask(SPACE)
    ((fitted, _),) = sampler.seen
    assert fitted[:4] == [(number, pytest.approx(0.2 + number / 10)) for number in range(4)]
    assert fitted[4:] == [(4, pytest.approx(0.5 if direction == "minimize" else 0.2))]
