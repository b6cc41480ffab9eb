"""PriorSampler: where trials come from, how the belief fades, what repeats."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState

from data_prep.errors import InputError
from search.priors import Prior
from search.samplers import FROM_PRIOR_KEY, GeneticSampler, PriorSampler, TrialSeededSampler, build_sampler
from search.samplers.build import WITHOUT_PRIOR
from search.space import Space

SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(0.0, 10.0),
    "kind": CategoricalDistribution(("a", "b", "c")),
    "free": FloatDistribution(1e-3, 1.0, log=True),
}
PRIORS = {"x": Prior(2.0, 50.0), "kind": Prior("b", 1e9)}


def _sampler(**options: Any) -> PriorSampler:
    member = TrialSeededSampler(RandomSampler, seed=1)
    return PriorSampler(member, PRIORS, **{"seed": 0, "strength": 4, **options})


def _run(sampler: Any, n: int, space: dict[str, BaseDistribution] = SPACE) -> list[optuna.trial.FrozenTrial]:
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: _draw(trial, space), n_trials=n)
    return study.get_trials()


def _draw(trial: Trial, space: dict[str, BaseDistribution]) -> float:
    trial.suggest_float("x", 0.0, 10.0)
    if "kind" in space:
        trial.suggest_categorical("kind", ("a", "b", "c"))
        trial.suggest_float("free", 1e-3, 1.0, log=True)
    return float(trial.params["x"]) ** 2


def test_the_first_trials_come_from_the_prior_and_say_so() -> None:
    trials = _run(_sampler(), 4)
    assert all(trial.user_attrs[FROM_PRIOR_KEY] is True for trial in trials)
    assert sum(abs(trial.params["x"] - 2.0) < 0.6 for trial in trials) >= 3
    assert sum(trial.params["kind"] == "b" for trial in trials) >= 3
    assert len({trial.params["free"] for trial in trials}) == 4  # without a prior: uniform


def test_the_belief_fades_as_trials_tell_values() -> None:
    sampler = _sampler(strength=10)
    study = optuna.create_study(sampler=sampler)
    expected = [1.0] * 11 + [10 / n for n in range(11, 60)]
    found = []
    for _ in expected:
        found.append(sampler.probability(study))
        study.tell(study.ask(SPACE), 0.0)
    assert found == pytest.approx(expected)
    share = [trial.user_attrs[FROM_PRIOR_KEY] for trial in study.get_trials()]
    assert all(share[:11])
    assert 10 < sum(share[11:]) < 30  # expected: 17.7
    assert False in share


def test_what_has_told_nothing_does_not_count() -> None:
    sampler = _sampler(strength=1)
    study = optuna.create_study(sampler=sampler)
    for _ in range(5):
        study.tell(study.ask(SPACE), state=TrialState.FAIL)
    running = [study.ask(SPACE) for _ in range(5)]
    assert sampler.probability(study) == 1.0
    for trial in running[:4]:
        trial.report(0.5, 1)
    assert sampler.probability(study) == 0.25


def test_strength_0_is_the_member_itself() -> None:
    alone = _run(TrialSeededSampler(RandomSampler, seed=1), 6)
    wrapped = _run(_sampler(strength=0), 6)
    assert [t.params for t in wrapped] == [t.params for t in alone]
    assert not any(t.user_attrs[FROM_PRIOR_KEY] for t in wrapped)


def test_an_enqueued_trial_comes_from_neither() -> None:
    study = optuna.create_study(sampler=_sampler())
    study.enqueue_trial({"x": 9.0, "kind": "c", "free": 0.5})
    trial = study.ask(SPACE)
    assert trial.params == {"x": 9.0, "kind": "c", "free": 0.5}
    assert FROM_PRIOR_KEY not in trial.user_attrs


def test_a_trial_that_a_kill_cut_off_goes_on_as_it_began(tmp_path: Path) -> None:
    def study() -> optuna.Study:
        storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
        return optuna.create_study(storage=storage, sampler=_sampler(), study_name="s", load_if_exists=True)

    whole = study().ask(SPACE).params
    half = study()
    second = half.ask({"x": SPACE["x"]})
    for _ in range(40):  # so much is known meanwhile that a new trial would hardly come from the prior
        half.add_trial(optuna.create_trial(params={"x": 1.0}, distributions={"x": SPACE["x"]}, value=0.0))
    again = Trial(study(), second._trial_id)
    assert again.suggest_float("x", 0.0, 10.0) == second.params["x"]
    assert again.user_attrs[FROM_PRIOR_KEY] is True
    assert again.suggest_categorical("kind", ("a", "b", "c")) == "b"
    assert whole["kind"] == "b"


_SCRIPT = """
import json, optuna, sys
from tests.search.samplers.test_prior import _run, _sampler
optuna.logging.set_verbosity(optuna.logging.ERROR)
print(json.dumps([t.params for t in _run(_sampler(), 12)]))
"""


def test_it_repeats_by_seed_in_another_process() -> None:
    here = [t.params for t in _run(_sampler(), 12)]
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout.splitlines()[-1]) == here
    assert [t.params for t in _run(_sampler(seed=5), 12)] != here


def test_the_member_learns_from_what_the_prior_drew() -> None:
    space = {"x": SPACE["x"]}
    tpe = TPESampler(seed=0, n_startup_trials=10)
    trials = _run(PriorSampler(tpe, {"x": Prior(1.0, 8.0)}, strength=10, seed=0), 40, space)
    later = [t for t in trials if not t.user_attrs[FROM_PRIOR_KEY]]
    assert len(later) > 5
    assert sum(t.params["x"] for t in later) / len(later) < 3.0  # it minimises x^2, and was never random


@pytest.mark.parametrize("strength", [-1.0, float("nan")])
def test_a_wrong_strength_is_refused(strength: float) -> None:
    with pytest.raises(InputError, match="strength"):
        PriorSampler(RandomSampler(), {}, strength=strength)


class TestBuilt:
    SPACE = Space.model_validate({"parameters": {"lr0": {"low": 0, "high": 1}}, "prior": {"confidence": "high"}})

    @pytest.mark.parametrize("name", ["ga", "tpe", "random", "qmc"])
    def test_members_draw_from_it_but_the_ga(self, name: str) -> None:
        priors = self.SPACE.priors({"lr0": 0.5})
        member = build_sampler({"members": [name]}, self.SPACE, 0, priors=priors).members[name]
        assert isinstance(member, PriorSampler) == (name not in WITHOUT_PRIOR)
        assert isinstance(member, GeneticSampler) == (name == "ga")

    def test_none_where_there_is_none_or_it_is_worth_nothing(self) -> None:
        priors = self.SPACE.priors({"lr0": 0.5})
        without = build_sampler({"members": ["tpe"]}, self.SPACE, 0)
        worthless = build_sampler({"members": ["tpe"], "prior_strength": 0}, self.SPACE, 0, priors=priors)
        for sampler in (without, worthless):
            assert isinstance(sampler.members["tpe"], TrialSeededSampler)

    def test_a_negative_strength_is_refused_by_its_key(self) -> None:
        with pytest.raises(InputError, match="prior_strength"):
            build_sampler({"members": ["tpe"], "prior_strength": -1}, self.SPACE, 0)
