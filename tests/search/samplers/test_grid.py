"""The grid: its points, its order, its end."""

from __future__ import annotations

import itertools
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from data_prep.errors import InputError
from search.samplers import AUTHOR_KEY, GridSampler, PortfolioSampler
from search.samplers._genes import contains
from search.samplers.grid import grid_values
from tests.search.samplers.studies import study_of

SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(0, 1),
    "n": IntDistribution(1, 4),
    "c": CategoricalDistribution(["a", "b"]),
}
VALUES = {"x": [0.0, 0.5, 1.0], "n": [1, 4], "c": ["a", "b"]}


def _asked(study: optuna.Study, count: int) -> list[tuple[Any, ...]]:
    drawn = []
    for _ in range(count):
        trial = study.ask(SPACE)
        study.tell(trial, 1.0)
        drawn.append(tuple(trial.params[name] for name in SPACE))
    return drawn


def test_every_point_comes_once_and_ask_and_tell_need_no_stop() -> None:
    study = study_of(sampler=GridSampler(VALUES, seed=0))
    assert not study.sampler.exhausted(study)
    drawn = _asked(study, 12)
    assert sorted(drawn) == sorted(itertools.product(*VALUES.values()))
    assert drawn != sorted(drawn)
    assert study.sampler.exhausted(study)
    assert sorted(_asked(study, 12)) == sorted(drawn)  # and once more


def test_the_order_belongs_to_the_seed_and_survives_a_restart() -> None:
    def run(seed: int, restart_at: int) -> list[tuple[Any, ...]]:
        study = study_of(sampler=GridSampler(VALUES, seed=seed))
        before = _asked(study, restart_at)
        study.sampler = GridSampler(VALUES, seed=seed)
        return before + _asked(study, 12 - restart_at)

    assert run(0, 0) == run(0, 5) == run(0, 11) != run(1, 0)


def test_running_and_failed_points_are_not_tried_again() -> None:
    study = study_of(sampler=GridSampler(VALUES, seed=0))
    running = [study.ask(SPACE) for _ in range(6)]
    study.tell(running[0], state=TrialState.FAIL)
    rest = _asked(study, 6)
    assert len({tuple(trial.params.values()) for trial in running} | set(rest)) == 12
    assert study.sampler.exhausted(study)


def test_an_enqueued_trial_takes_no_point_and_what_it_lacks_is_random() -> None:
    study = study_of(sampler=GridSampler(VALUES, seed=0))
    study.enqueue_trial({"x": 0.123})
    study.tell(study.ask(SPACE), 1.0)
    assert study.trials[0].params["x"] == 0.123
    assert len(set(_asked(study, 12))) == 12


def test_a_trial_that_a_restart_finds_half_drawn_keeps_its_point() -> None:
    study = study_of(sampler=GridSampler(VALUES, seed=0))
    trial = study.ask({"x": SPACE["x"]})
    again = optuna.Trial(study, trial._trial_id)
    point = (trial.params["x"], again.suggest_int("n", 1, 4), again.suggest_categorical("c", ["a", "b"]))
    study.tell(again, 1.0)
    assert point not in _asked(study, 11)


def test_another_grid_begins_anew() -> None:
    study = study_of(sampler=GridSampler(VALUES, seed=0))
    _asked(study, 12)
    study.sampler = GridSampler(VALUES | {"x": [0.1, 0.2]}, seed=0)
    assert not study.sampler.exhausted(study)
    assert len(set(_asked(study, 8))) == 8


def test_in_a_portfolio_the_others_go_on() -> None:
    sampler = PortfolioSampler({"grid": GridSampler(VALUES, seed=0), "random": RandomSampler(seed=0)}, seed=0)
    study = study_of(sampler=sampler)
    _asked(study, 60)
    authors = [trial.user_attrs[AUTHOR_KEY] for trial in study.trials]
    assert authors.count("grid") == 12
    assert set(authors[-20:]) == {"random"}
    assert not sampler.exhausted(study)


def test_a_portfolio_of_grids_alone_ends() -> None:
    sampler = PortfolioSampler({"grid": GridSampler(VALUES, seed=0)})
    study = study_of(sampler=sampler)
    _asked(study, 12)
    assert sampler.exhausted(study)


def test_values_are_spaced_on_the_scale_of_the_parameter() -> None:
    assert grid_values(FloatDistribution(0, 1), 3) == [0, 0.5, 1]
    assert grid_values(FloatDistribution(1e-4, 1, log=True), 3) == pytest.approx([1e-4, 1e-2, 1])
    assert grid_values(FloatDistribution(0, 1, step=0.25), 3) == [0, 0.5, 1]
    assert grid_values(FloatDistribution(0, 1), 1) == [0.5]
    assert grid_values(IntDistribution(1, 3), 9) == [1, 2, 3]
    assert grid_values(IntDistribution(1, 100, log=True), 3) == [1, 10, 100]
    assert grid_values(CategoricalDistribution(["a", None]), 1) == ["a", None]


@given(
    low=st.integers(1, 50), width=st.integers(0, 90), step=st.integers(1, 7), log=st.booleans(), n=st.integers(1, 40)
)
def test_values_are_legal_distinct_and_ordered(low: int, width: int, step: int, log: bool, n: int) -> None:
    high = low + width if log else low + width // step * step
    whole = IntDistribution(low, high, log=log, step=1 if log else step)
    real = FloatDistribution(low / 8, high / 8, log=log, step=None if log else step / 8)
    for distribution in (whole, real):
        values = grid_values(distribution, n)
        assert all(contains(distribution, value) for value in values)
        assert values == sorted(set(values))
        assert len(values) <= n


@pytest.mark.parametrize(("count", "words"), [(22, ["22 x 22 x 22", "10,648", "10,000"]), (0, ["0 points"])])
def test_a_grid_too_large_or_empty_is_refused_with_its_number(count: int, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        GridSampler({name: list(range(count)) for name in "abc"})
    assert all(word in str(error.value) for word in words), str(error.value)
