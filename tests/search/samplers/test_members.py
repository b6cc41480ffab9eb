"""Every member by name: its options, thirty trials of a mixed space, the same numbers in another process."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import BruteForceSampler
from optuna.trial import TrialState

from data_prep.errors import InputError
from search.journal_storage import SweepJournal
from search.samplers import SamplerConfig, build_sampler
from search.samplers.optuna_members import REFUSED
from search.samplers.registry import MEMBERS
from search.space import Space
from search.study import SweepStudy
from tests.search.samplers.studies import study_of

pytestmark = pytest.mark.filterwarnings("error::optuna.exceptions.ExperimentalWarning", "error::FutureWarning")

MIXED = {
    "lr0": {"low": 1e-5, "high": 0.1, "log": True},
    "momentum": {"low": 0.6, "high": 0.98},
    "anchors": {"type": "int", "low": 2, "high": 10},
    "optimizer": {"choices": ["SGD", "AdamW"]},
}
DISCRETE = {
    "anchors": {"type": "int", "low": 2, "high": 10},
    "optimizer": {"choices": ["SGD", "Adam", "AdamW"]},
    "model": {"choices": ["yolov5n", "yolov5s"]},
}
START = {"lr0": 0.01, "momentum": 0.937, "anchors": 3, "optimizer": "SGD", "model": "yolov5n"}
BRIEF = {
    "curve_gp": {"n_startup_trials": 24, "iterations": 5},
    "gp": {"n_startup_trials": 28},
    "NSGAIISampler": {"population_size": 4},
}
"""Options that let a member leave its random start soon, or late where it is slow."""


def space_of(name: str) -> Space:
    return Space.model_validate({"parameters": DISCRETE if name == "BruteForceSampler" else MIXED})


def value_of(params: dict[str, Any]) -> float:
    return -abs(math.log10(params.get("lr0", 1.0)) + 3) - float(params["anchors"]) / 10


def thirty_trials(name: str, seed: int = 5, trials: int = 30) -> list[dict[str, Any]]:
    space = space_of(name)
    config = {"members": {name: BRIEF.get(name, {})}}
    study = study_of(sampler=build_sampler(config, space, seed, defaults={n: START[n] for n in space.parameters}))
    for _ in range(trials):
        trial = study.ask(space.distributions())
        study.tell(trial, value_of(trial.params))
    return [trial.params for trial in study.trials]


@pytest.fixture(scope="module")
def elsewhere() -> dict[str, list[dict[str, Any]]]:
    """What every member suggests in another process, in which texts have other hashes."""
    code = f"import json; from {__name__} import *; print(json.dumps({{n: thirty_trials(n) for n in MEMBERS}}))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    suggested: dict[str, list[dict[str, Any]]] = json.loads(done.stdout.splitlines()[-1])
    return suggested


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_thirty_trials_of_a_mixed_space_repeat_in_another_process(
    name: str, elsewhere: dict[str, list[dict[str, Any]]]
) -> None:
    here = thirty_trials(name)
    assert len({tuple(params.values()) for params in here}) >= 15  # NSGA-II repeats parents
    assert here == elsewhere[name]
    assert thirty_trials(name, seed=6, trials=8) != here[:8]


@pytest.mark.parametrize("name", [name for name in MEMBERS if name != "gp"])
def test_a_sweep_on_a_journal_that_was_restarted_draws_the_same(name: str, tmp_path: Path) -> None:
    space, drawn = space_of(name), []
    for _ in range(3):  # drivers
        config = {"members": {name: BRIEF.get(name, {})}}
        sampler = build_sampler(config, space, 5, defaults={n: START[n] for n in space.parameters})
        storage = SweepJournal(tmp_path / "study.journal")
        study = optuna.create_study(
            storage=storage, study_name="s", sampler=sampler, direction="maximize", load_if_exists=True
        )
        sweep = SweepStudy(study, storage, space)
        for _ in range(6):
            trial = sweep.draw()
            drawn.append(trial.params)
            sweep.finish(trial.number, TrialState.COMPLETE, value_of(trial.params))
    assert drawn == thirty_trials(name, trials=18)


@pytest.mark.parametrize("name", [name for name in MEMBERS if name not in ("gp", "tpe", "random", "ga", "qmc")])
def test_a_restart_changes_nothing(name: str) -> None:
    space = space_of(name)

    def run(restart_at: int) -> list[dict[str, Any]]:
        config = {"members": {name: BRIEF.get(name, {})}}
        study = study_of(sampler=build_sampler(config, space, 3))
        for number in range(24):
            if number == restart_at:
                study.sampler = build_sampler(config, space, 3)
            trial = study.ask(space.distributions())
            study.tell(trial, trial.params["anchors"])
        return [trial.params for trial in study.trials]

    assert run(restart_at=-1) == run(restart_at=5) == run(restart_at=17)


def test_every_sampler_of_optunas_is_a_member_or_refused_with_a_remedy() -> None:
    classes = {name for name in optuna.samplers.__all__ if name[0].isupper()}
    assert classes == (MEMBERS.keys() & classes) | REFUSED.keys()
    for name, remedy in REFUSED.items():
        with pytest.raises(InputError) as error:
            build_sampler({"members": [name]}, space_of("ga"), 0)
        assert name in str(error.value)
        assert remedy in str(error.value)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_wrong_option_is_named_beside_those_that_there_are(name: str) -> None:
    with pytest.raises(InputError) as error:
        build_sampler({"members": {name: {"colour": 3}}}, space_of(name), 0)
    assert all(word in str(error.value) for word in (name, "`colour`", *MEMBERS[name].model_fields))
    with pytest.raises(InputError, match="seed"):  # it is the sweep's
        build_sampler({"members": {name: {"seed": 3}}}, space_of(name), 0)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"grid": {"points": 100}}, ["members.grid", "9 x 100 x 100 x 2", "180,000", "10,000"]),
        ({"grid": {"points": {"lr": 3}}}, ["points", "lr", "lr0, momentum"]),
        ({"grid": {"points": {"lr0": 0}}}, ["points.lr0", "0"]),
        ({"cmaes": {"lr_adapt": True, "with_margin": True}}, ["with_margin and lr_adapt exclude each other"]),
        ({"cmaes": {"sigma0": 0}}, ["sigma0", "0"]),
        ({"gp": {"max_trials": 1}}, ["max_trials", "1"]),
        ({"NSGAIISampler": {"population_size": 1}}, ["members.NSGAIISampler", "population_size", "2"]),
        ({"NSGAIISampler": {"mutation": "x"}}, ["mutation", "population_size"]),
        ({"NSGAIISampler": {"population_size": "many"}}, ["population_size", "many"]),
        ({"BruteForceSampler": {}}, ["BruteForceSampler", "lr0, momentum", "grid"]),
    ],
)
def test_options_that_make_no_sampler_are_refused_before_the_first_trial(
    members: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InputError) as error:
        build_sampler({"members": members}, space_of("ga"), 0)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_exhaustive_search_ends_without_stopping_the_study() -> None:
    space = space_of("BruteForceSampler")
    sampler = build_sampler({"members": ["BruteForceSampler"]}, space, 0)
    assert not isinstance(sampler.members["BruteForceSampler"], BruteForceSampler)  # seeded by the trial
    study = study_of(sampler=sampler)
    while not sampler.exhausted(study):
        study.tell(study.ask(space.distributions()), 1.0)
    assert len({tuple(trial.params.values()) for trial in study.trials}) == len(study.trials) == 9 * 3 * 2


def test_the_grid_has_points_by_name() -> None:
    space = space_of("grid")
    grid = build_sampler({"members": {"grid": {"points": {"lr0": 5}}}}, space, 0).members["grid"]
    assert grid.size == 5 * 3 * 3 * 2  # type: ignore[attr-defined]


def test_all_members_survive_the_file_of_a_sweep() -> None:
    config = SamplerConfig.model_validate({"members": list(MEMBERS), "allocation": "credit", "credit": {"floor": 0.5}})
    assert SamplerConfig.model_validate(config.model_dump(mode="json", exclude_none=True)) == config
    assert list(config.members) == list(MEMBERS)
