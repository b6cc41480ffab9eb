"""From a configuration to samplers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler, QMCSampler, TPESampler

from data_prep.errors import InputError
from search.samplers import GeneticSampler, SamplerConfig, TrialSeededSampler, build_sampler
from search.samplers.views import ViewSampler
from search.space import Space, load_space
from tests.search.samplers.studies import study_of

pytestmark = pytest.mark.filterwarnings("error::optuna.exceptions.ExperimentalWarning")


@pytest.fixture(scope="module")
def space() -> Space:
    return load_space(Path(__file__).parents[3] / "configs" / "spaces" / "lr_momentum.yaml")


def _members(config: dict[str, Any], space: Space) -> dict[str, BaseSampler]:
    return dict(build_sampler(config, space, 0).members)


def test_the_default_is_the_model_of_learning_curves_beside_tpe(space: Space) -> None:
    assert sorted(_members({}, space)) == ["curve_gp", "tpe"]


def test_ga_alongside_tpe(space: Space) -> None:
    members = _members({"members": ["ga", "tpe"]}, space)
    assert list(members) == ["ga", "tpe"]
    assert isinstance(members["ga"], GeneticSampler)
    assert isinstance(members["tpe"], TrialSeededSampler)


def test_names_alone_or_with_options(space: Space) -> None:
    assert list(_members({"members": ["random", "ga"]}, space)) == ["ga", "random"]
    ga = _members({"members": {"ga": {"n_parents": 3, "parent": "weighted"}, "qmc": None}}, space)["ga"]
    assert isinstance(ga, GeneticSampler)
    assert (ga._n_parents, ga._parent) == (3, "weighted")
    assert ga._gains == space.gains()
    assert ga._defaults == space.defaults()


def test_the_ga_starts_where_it_is_told(space: Space) -> None:
    start = {"lr0": 0.02, "lrf": 0.1, "momentum": 0.9}
    study = study_of(sampler=build_sampler({"members": ["ga"]}, space, 0, defaults=start))
    assert study.ask(space.distributions()).params == start


def test_every_option_of_optuna_is_passed(space: Space) -> None:
    options = {"n_startup_trials": 3, "n_ei_candidates": 7, "multivariate": True, "group": True, "constant_liar": False}
    tpe = _members({"members": {"tpe": options}}, space)["tpe"]
    assert isinstance(tpe, TrialSeededSampler)
    seen = tpe._make(1)
    assert isinstance(seen, ViewSampler)
    made = seen.sampler
    assert isinstance(made, TPESampler)
    assert {name: getattr(made, f"_{name}") for name in options} == options
    qmc = _members({"members": {"qmc": {"qmc_type": "halton"}}}, space)["qmc"]
    assert isinstance(qmc, QMCSampler)
    assert (qmc._qmc_type, qmc._scramble) == ("halton", True)


@pytest.mark.parametrize("name", ["ga", "tpe", "random", "qmc"])
def test_each_member_alone_goes_on_after_a_restart_as_before(space: Space, name: str) -> None:
    def run(restart_at: int) -> list[dict[str, Any]]:
        study = study_of(sampler=build_sampler({"members": [name]}, space, 3))
        for number in range(16):  # TPE leaves its random start at 10
            if number == restart_at:
                study.sampler = build_sampler({"members": [name]}, space, 3)
            trial = study.ask(space.distributions())
            study.tell(trial, trial.params["momentum"])
        return [trial.params for trial in study.trials]

    whole = run(restart_at=-1)
    assert whole == run(restart_at=5) == run(restart_at=12)
    assert len({tuple(params.values()) for params in whole}) == 16


def test_parameters_of_a_random_trial_are_unrelated(space: Space) -> None:
    study = study_of(sampler=build_sampler({"members": ["random"]}, space, 3))
    drawn = [study.ask({n: optuna.distributions.FloatDistribution(0, 1) for n in "ab"}).params for _ in range(20)]
    assert all(params["a"] != params["b"] for params in drawn)


def test_another_member_does_not_change_what_one_draws(space: Space) -> None:
    alone = build_sampler({"members": ["ga"]}, space, 3).members["ga"]
    beside = build_sampler({"members": ["ga", "tpe"]}, space, 3).members["ga"]
    assert isinstance(alone, GeneticSampler)
    assert isinstance(beside, GeneticSampler)
    assert alone._seed == beside._seed


def test_grouped_tpe_suggests(space: Space) -> None:
    study = study_of(sampler=build_sampler({"members": {"tpe": {"group": True, "n_startup_trials": 2}}}, space, 0))
    for _ in range(6):
        study.tell(study.ask(space.distributions()), 1.0)


def test_it_can_be_pickled(space: Space) -> None:
    sampler = pickle.loads(pickle.dumps(build_sampler({"members": ["ga", "tpe", "random"]}, space, 0)))
    study_of(sampler=sampler).ask(space.distributions())


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"members": ["gaa"]}, ["gaa", "`ga`"]),
        ({"members": []}, ["no sampler is named", "tpe"]),
        ({"members": {"ga": {"n_parent": 3}}}, ["n_parent", "n_parents"]),
        ({"members": {"ga": {"n_parents": 0}}}, ["n_parents", "0"]),
        ({"members": {"ga": {"parent": "both"}}}, ["parent", "both", "single"]),
        ({"members": "ga"}, ["members"]),
        ({"allocation": "fair"}, ["allocation", "fair", "even"]),
    ],
)
def test_wrong_configurations_are_refused_by_name(space: Space, config: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        build_sampler(config, space, 0)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_configuration_survives_its_own_file() -> None:
    config = SamplerConfig.model_validate({"members": ["tpe"]})
    assert SamplerConfig.model_validate(config.model_dump(mode="json", exclude_unset=True)) == config
