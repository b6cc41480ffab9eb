"""CMA-ES inside a portfolio, under early stopping, after a restart, and with a state that somebody tampered with."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from data_prep.errors import InputError
from search.samplers import AUTHOR_KEY, PAUSED_KEY, PortfolioSampler, TrialSeededSampler
from search.samplers.cma_es import RungCmaEsSampler, _digest
from tests.search.samplers.studies import study_of

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

SPACE: dict[str, BaseDistribution] = {f"x{i}": FloatDistribution(0, 1) for i in range(3)}


def _make(seed: int) -> RungCmaEsSampler:
    return RungCmaEsSampler(x0=None, sigma0=1 / 6, popsize=5, seed=seed)


def _sampler() -> TrialSeededSampler:
    return TrialSeededSampler(_make, seed=0)


def _value(params: dict[str, Any]) -> float:
    return -sum((params[name] - 0.2) ** 2 for name in SPACE)


def _generation(trial: optuna.trial.FrozenTrial) -> int:
    found = [value for name, value in trial.system_attrs.items() if name.startswith("cma:generation")]
    return int(found[0]) if found else -1


def _mean_error(study: optuna.Study, last: int) -> float:
    own = [trial for trial in study.trials if _generation(trial) >= 0][-last:]
    return float(np.mean([-_value(trial.params) for trial in own]))


def test_it_gets_on_inside_a_portfolio_and_its_categorical_parameters_are_drawn() -> None:
    space = SPACE | {"c": CategoricalDistribution(["a", "b"])}
    members = {"cmaes": _sampler(), "random": RandomSampler(seed=1)}
    study = study_of(sampler=PortfolioSampler(members, seed=0))
    for _ in range(160):
        trial = study.ask(space)
        study.tell(trial, _value(trial.params))
    own = [trial for trial in study.trials if trial.user_attrs[AUTHOR_KEY] == "cmaes"]
    assert max(map(_generation, own)) >= 12
    assert all(_generation(trial) < 0 for trial in study.trials if trial not in own)
    assert _mean_error(study, 10) < 0.05
    assert {trial.params["c"] for trial in own} == {"a", "b"}


def test_paused_and_pruned_trials_fill_generations_and_who_got_farther_is_better() -> None:
    study = study_of(sampler=_sampler())
    for number in range(100):
        trial = study.ask(SPACE)
        value = _value(trial.params)
        stopped = value < -0.1
        # A stopped trial's value is larger than any final one: compared as they are they would win.
        for step in (1, 2) if stopped else (1, 2, 3, 4):
            trial.report(value + (10.0 if step <= 2 else 0.0), step)
        if stopped and number % 2:
            study.tell(trial, state=TrialState.PRUNED)
        elif stopped:
            trial.set_user_attr(PAUSED_KEY, 2)
        else:
            study.tell(trial, value)
    assert max(map(_generation, study.trials)) >= 15
    assert _mean_error(study, 20) < 0.03


def test_failed_trials_are_replaced() -> None:
    study = study_of(sampler=_sampler())
    for number in range(40):
        trial = study.ask(SPACE)
        if number % 3:
            study.tell(trial, _value(trial.params))
        else:
            study.tell(trial, state=TrialState.FAIL)
    assert max(map(_generation, study.trials)) >= 3


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_follows_the_direction(direction: str) -> None:
    study = study_of(sampler=_sampler(), direction=direction)
    for _ in range(80):
        trial = study.ask(SPACE)
        study.tell(trial, _value(trial.params) * (1 if direction == "maximize" else -1))
    assert _mean_error(study, 10) < 0.05


def test_it_starts_where_it_is_told() -> None:
    start = {"x0": 0.9, "x1": 0.1, "x2": 0.5}
    study = study_of(sampler=RungCmaEsSampler(x0=start, sigma0=0.01, popsize=5, seed=0))
    study.tell(study.ask(SPACE), 0.0)  # the first is drawn at random: nothing is known of the space
    for _ in range(4):
        params = study.ask(SPACE).params
        assert all(abs(params[name] - start[name]) < 0.06 for name in SPACE)


class _Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def test_a_state_that_names_anything_else_is_refused_and_not_run(tmp_path: Path) -> None:
    study = study_of(sampler=_sampler())
    study.tell(study.ask(SPACE), 0.0)
    stored = study.get_trials(deepcopy=False)[0]
    stored.system_attrs[f"cma:optimizer:{_digest(SPACE)}:0"] = pickle.dumps(_Evil(tmp_path / "owned")).hex()
    with pytest.raises(InputError, match=r"trial 0 cannot be used \(it names .*system"):
        study.ask(SPACE)
    assert not (tmp_path / "owned").exists()


def test_in_other_ranges_it_begins_anew_at_the_best_trial() -> None:
    def wide(trial: optuna.trial.FrozenTrial) -> optuna.trial.FrozenTrial:
        trial.distributions = dict.fromkeys(SPACE, FloatDistribution(-4, 5))
        return trial

    study = study_of(sampler=_sampler())
    for _ in range(60):
        trial = study.ask(SPACE)
        study.tell(trial, -sum((trial.params[name] - 0.9) ** 2 for name in SPACE))
    wider = study_of(*map(wide, study.trials), sampler=_sampler())
    drawn = [wider.ask(dict.fromkeys(SPACE, FloatDistribution(-4, 5))).params for _ in range(20)]
    middle = np.mean([[params[name] for name in SPACE] for params in drawn], axis=0)
    assert np.abs(middle - [study.best_params[name] for name in SPACE]).max() < 1.2  # the old state: 4
    assert any(min(params.values()) < 0 for params in drawn)
