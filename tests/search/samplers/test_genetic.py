"""What GeneticSampler does beside the formula."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, ClassVar

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from data_prep.errors import InputError
from search.samplers import PAUSED_KEY, GeneticSampler
from search.samplers._genes import contains
from search.space import load_space
from tests.search.samplers.studies import finished, next_trial, study_of

SPACE: dict[str, BaseDistribution] = {
    "a": FloatDistribution(1e-5, 0.1, log=True),
    "b": FloatDistribution(0.0, 1.0),
    "c": CategoricalDistribution(["SGD", "Adam", "AdamW"]),
    "n": IntDistribution(1, 10),
}
DEFAULTS = {"a": 0.01, "b": 0.5, "c": "SGD", "n": 3}


def _params(
    study: optuna.Study, space: dict[str, BaseDistribution], trials: int, value: float = 0.5
) -> list[dict[str, Any]]:
    for _ in range(trials):
        study.tell(study.ask(space), value)
    return [trial.params for trial in study.trials]


class TestStart:
    def test_first_the_default_then_mutated_defaults(self) -> None:
        study = study_of(sampler=GeneticSampler(seed=0, defaults=DEFAULTS))
        first, *others = [study.ask(SPACE).params for _ in range(20)]  # none finishes: there is no parent
        assert first == DEFAULTS
        assert all(params != DEFAULTS for params in others)
        assert all(0.3 * 0.01 <= params["a"] <= 3 * 0.01 for params in others)
        assert {params["c"] for params in others} > {"SGD"}

    def test_a_default_that_is_enqueued_is_not_tried_twice(self) -> None:
        study = study_of(sampler=GeneticSampler(seed=0, defaults=DEFAULTS))
        study.enqueue_trial(DEFAULTS)
        assert study.ask(SPACE).params == DEFAULTS
        assert study.ask(SPACE).params != DEFAULTS

    def test_a_default_that_failed_is_not_tried_again(self) -> None:
        study = study_of(sampler=GeneticSampler(seed=0, defaults=DEFAULTS))
        study.tell(study.ask(SPACE), state=TrialState.FAIL)
        assert study.ask(SPACE).params != DEFAULTS

    def test_defaults_may_be_incomplete_or_outside(self) -> None:
        study = study_of(sampler=GeneticSampler(seed=0, defaults={"b": 0.5, "a": 7.0, "other": 1}))
        params = [study.ask(SPACE).params for _ in range(3)]
        assert params[0]["b"] == 0.5
        assert len({p["a"] for p in params}) == 3

    def test_without_defaults_it_is_random(self) -> None:
        study = study_of(sampler=GeneticSampler(seed=0))
        drawn = [study.ask(SPACE).params for _ in range(50)]
        assert min(p["b"] for p in drawn) < 0.2
        assert max(p["b"] for p in drawn) > 0.8
        assert {p["c"] for p in drawn} == {"SGD", "Adam", "AdamW"}


class TestNothingCanChange:
    def test_all_gains_zero_gives_the_parent_back(self) -> None:
        study = study_of(sampler=GeneticSampler(seed=0, defaults=DEFAULTS, gains=dict.fromkeys(SPACE, 0.0)))
        assert _params(study, SPACE, 4) == [DEFAULTS] * 4

    @pytest.mark.parametrize(
        ("distribution", "value"),
        [
            (FloatDistribution(0.0, 1.0), 0.0),
            (IntDistribution(0, 10), 0),
            (FloatDistribution(0.0, 1.0, step=0.5), 0.0),
            (FloatDistribution(0.5, 0.5 + 1e-12), 0.5),
            (IntDistribution(1, 2), 1),
        ],
    )
    def test_a_gene_that_cannot_move_does_not_hang(self, distribution: BaseDistribution, value: float) -> None:
        study = study_of(finished({"x": value}, {"x": distribution}, 1.0), sampler=GeneticSampler(seed=0))
        assert contains(distribution, study.ask({"x": distribution}).params["x"])

    def test_zero_never_leaves_zero(self) -> None:
        space: dict[str, BaseDistribution] = {"degrees": FloatDistribution(0, 45), "scale": FloatDistribution(0, 0.9)}
        study = study_of(sampler=GeneticSampler(seed=0, defaults={"degrees": 0.0, "scale": 0.5}))
        assert all(params["degrees"] == 0 for params in _params(study, space, 20))


def test_ints_walk_although_one_step_is_far() -> None:
    space: dict[str, BaseDistribution] = {"n": IntDistribution(1, 10)}
    study = study_of(sampler=GeneticSampler(seed=0, defaults={"n": 3}))
    assert len({params["n"] for params in _params(study, space, 30)}) > 3


def test_a_categorical_switches_as_often_as_documented() -> None:
    space: dict[str, BaseDistribution] = {"c": SPACE["c"], "b": SPACE["b"]}
    study = study_of(finished({"c": "Adam", "b": 0.5}, space, 1.0))
    sampler = GeneticSampler(seed=0, gains={"c": 2.0})
    children = [sampler.sample_relative(study, next_trial(study), space) for _ in range(1500)]
    shares = {choice: sum(child["c"] == choice for child in children) / 1500 for choice in ("SGD", "Adam", "AdamW")}
    # 0.32 of all draws; a little more among those kept, because a draw without any change is repeated.
    assert shares == pytest.approx({"SGD": 0.18, "Adam": 0.64, "AdamW": 0.18}, abs=0.04)


def test_a_log_range_far_below_five_digits_keeps_its_scale() -> None:
    space: dict[str, BaseDistribution] = {"x": FloatDistribution(1e-9, 1e-6, log=True)}
    study = study_of(sampler=GeneticSampler(seed=0, defaults={"x": 1e-8}))
    values = [params["x"] for params in _params(study, space, 20)]
    assert len(set(values)) == 20
    assert max(values) < 1e-6


class TestConditional:
    SPACE: ClassVar[dict[str, BaseDistribution]] = {
        "kind": CategoricalDistribution(["p", "q"]),
        "p": FloatDistribution(1, 9),
        "q": FloatDistribution(1, 9),
    }

    @staticmethod
    def _objective(trial: optuna.Trial) -> float:
        return trial.suggest_float(trial.suggest_categorical("kind", ["p", "q"]), 1, 9)

    @pytest.mark.parametrize("parent", ["single", "weighted"])
    def test_it_optimises(self, parent: Any) -> None:
        study = optuna.create_study(direction="maximize", sampler=GeneticSampler(seed=0, parent=parent))
        study.optimize(self._objective, n_trials=80)
        assert study.best_value > 8.5

    def test_a_gene_that_the_parent_lacks_comes_from_the_best_that_has_it(self) -> None:
        study = study_of(
            finished({"kind": "p", "p": 5.0}, self.SPACE, 9.0),
            *(finished({"kind": "q", "q": q}, self.SPACE, 0.1) for q in (2.0, 2.0)),
        )
        sampler = GeneticSampler(seed=0, n_parents=1)
        trial = next_trial(study)
        assert set(sampler.infer_relative_search_space(study, trial)) == {"kind", "p"}
        assert 0.6 <= sampler.sample_independent(study, trial, "q", self.SPACE["q"]) <= 6.0

    def test_a_weighted_parent_averages_over_those_that_have_the_gene(self) -> None:
        study = study_of(
            finished({"kind": "p", "p": 4.0}, self.SPACE, 1.0),
            finished({"kind": "q", "q": 2.0}, self.SPACE, 1.0),
            finished({"kind": "p", "p": 8.0}, self.SPACE, 1.0),
        )
        sampler = GeneticSampler(seed=0, parent="weighted", gains=dict.fromkeys(self.SPACE, 0.0))
        child = sampler.sample_relative(study, next_trial(study), self.SPACE)
        assert child == {"kind": "p", "p": 6.0, "q": 2.0}


def test_a_wider_space_is_used_from_its_first_trial_on() -> None:
    old: dict[str, BaseDistribution] = {"x": FloatDistribution(1, 2)}
    new: dict[str, BaseDistribution] = {"x": FloatDistribution(1, 100)}
    study = study_of(
        finished({"x": 2.0}, old, 9.0), finished({"x": 50.0}, new, 0.1), sampler=GeneticSampler(seed=0, n_parents=1)
    )
    assert max(study.ask(new).params["x"] for _ in range(30)) > 2.0


def test_pruned_trials_are_parents_and_failed_ones_are_not() -> None:
    space: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 100)}
    study = study_of(
        finished({"x": 80.0}, space, steps={1: 0.9}, state=TrialState.PRUNED),
        finished({"x": 1.0}, space, state=TrialState.FAIL),
        sampler=GeneticSampler(seed=0),
    )
    assert all(study.ask(space).params["x"] > 20 for _ in range(20))


def test_paused_trials_are_parents_and_training_ones_are_not() -> None:
    space: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 100)}
    paused = finished({"x": 80.0}, space, steps={1: 0.5}, state=TrialState.RUNNING)
    paused.set_user_attr(PAUSED_KEY, 1)
    promoted = finished({"x": 1.0}, space, steps={1: 0.9}, state=TrialState.RUNNING)
    promoted.set_user_attr(PAUSED_KEY, None)
    study = study_of(paused, promoted, sampler=GeneticSampler(seed=0))
    assert all(study.ask(space).params["x"] > 20 for _ in range(20))


def test_it_works_under_hyperbands_filtered_view() -> None:
    study = optuna.create_study(sampler=GeneticSampler(seed=0), pruner=optuna.pruners.HyperbandPruner(1, 4))

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        trial.report(x, 1)
        return x

    study.optimize(objective, n_trials=20)
    assert len(study.trials) == 20


def test_classic_genes_stay_on_the_grid_of_yolov5s_space() -> None:
    space = load_space("configs/spaces/yolov5.yaml")
    study = study_of(sampler=GeneticSampler(seed=0, gains=space.gains(), defaults=space.defaults()))
    drawn = _params(study, space.distributions(), 30)
    assert drawn[0] == space.defaults()
    assert all(value == round(value, 5) for params in drawn for value in params.values())
    assert all(
        params[name] == drawn[0][name] for params in drawn for name in ("iou_t", "fl_gamma", "perspective", "fliplr")
    )


class TestReproducible:
    SCRIPT = """
import optuna
from search.samplers import GeneticSampler, build_sampler
from search.space import Space
optuna.logging.set_verbosity(optuna.logging.ERROR)
lr0 = {"parameters": {"lr0": {"low": 1e-5, "high": 0.1}}}
portfolio = {"members": {"ga": {}, "random": {}, "tpe": {"n_startup_trials": 4}, "qmc": {}}}
def objective(t):
    names = ["a", "b", "z"]
    return sum(t.suggest_float(n, 0, 1) for n in names) + len(t.suggest_categorical("c", ["x", "yy", "zzz"]))
for sampler in (
    GeneticSampler(seed=5, defaults={"b": 0.5}),
    GeneticSampler(seed=5, parent="weighted"),
    build_sampler(portfolio, Space.model_validate(lr0), 5),
):
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=20)
    print([(sorted(t.params.items()), t.user_attrs) for t in study.trials])
"""

    @pytest.mark.timeout(60)
    def test_in_other_processes_whatever_the_hash_seed(self) -> None:
        outputs = {
            subprocess.run(
                [sys.executable, "-c", self.SCRIPT],
                env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for hash_seed in ("1", "2")
        }
        assert len(outputs) == 1
        assert len(outputs.pop().splitlines()) == 3

    def test_a_new_sampler_on_the_same_study_goes_on_as_the_old_one(self) -> None:
        def run(restart: bool) -> list[dict[str, Any]]:
            study = study_of(sampler=GeneticSampler(seed=1))
            for number in range(12):
                if restart and number == 6:
                    study.sampler = GeneticSampler(seed=1)
                trial = study.ask(SPACE)
                study.tell(trial, trial.params["b"])
            return [trial.params for trial in study.trials]

        assert run(restart=False) == run(restart=True)

    def test_without_seed_two_samplers_differ(self) -> None:
        drawn = [_params(study_of(sampler=GeneticSampler()), SPACE, 1)[0]["b"] for _ in range(3)]
        assert len(set(drawn)) == 3


@pytest.mark.parametrize(
    "options",
    [{"seed": -1}, {"n_parents": 0}, {"parent": "double"}, {"gains": {"x": -1.0}}, {"gains": {"x": float("nan")}}],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        GeneticSampler(**options)


_bounds = st.floats(-1e6, 1e6)


@st.composite
def _distributions(draw: st.DrawFn) -> BaseDistribution:
    kind = draw(st.sampled_from(["float", "log", "step", "int", "intlog", "categorical"]))
    if kind == "categorical":
        return CategoricalDistribution(draw(st.lists(st.integers() | st.text(), min_size=1, max_size=4, unique=True)))
    if kind == "log":
        low, high = sorted(draw(st.tuples(*[st.floats(1e-12, 1e6)] * 2)))
        return FloatDistribution(low, high, log=True)
    if kind == "intlog":
        low, high = sorted(draw(st.tuples(*[st.integers(1, 10**6)] * 2)))
        return IntDistribution(low, high, log=True)
    if kind == "int":
        low, high = sorted(draw(st.tuples(*[st.integers(-(10**6), 10**6)] * 2)))
        return IntDistribution(low, high, step=draw(st.integers(1, 50)))
    if kind == "step":
        low = draw(st.integers(-100, 100)) / 10
        return FloatDistribution(low, low + draw(st.integers(0, 50)) / 10, step=draw(st.sampled_from([0.1, 0.25, 0.3])))
    low, high = sorted(draw(st.tuples(_bounds, _bounds)))
    return FloatDistribution(low, high)


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore:The distribution is specified by")
@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    space=st.dictionaries(st.sampled_from("abcdef"), _distributions(), min_size=1),
    values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=4),
    parent=st.sampled_from(["single", "weighted"]),
    direction=st.sampled_from(["minimize", "maximize"]),
)
def test_every_suggestion_lies_in_its_distribution(
    space: dict[str, BaseDistribution], values: list[float], parent: Any, direction: str
) -> None:
    study = optuna.create_study(direction=direction, sampler=GeneticSampler(seed=0, parent=parent, n_parents=2))
    for value in values:
        study.tell(study.ask(space), value)
    for _ in range(3):
        trial = next_trial(study)
        child = study.sampler.sample_relative(study, trial, space)
        assert child.keys() == space.keys()
        assert all(contains(space[name], value) for name, value in child.items())
