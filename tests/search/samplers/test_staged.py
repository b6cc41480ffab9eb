"""StagedSampler: what is searched, what stands still, what a stage's sampler sees, when the next one begins."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from search.parameters import suggest
from search.samplers import PAUSED_KEY, STAGE_KEY, StagedSampler, build_sampler
from search.samplers._bounded import BoundedView
from search.samplers._observed import diverged
from search.samplers.staged import _Agreeing, _View
from search.samplers.stages import Stage, held_up_by, next_stage, stage_name
from search.samplers.views import SharedView
from search.space import Space
from trainable.failures import DIVERGED, FAILURE_KIND

UNIT_X: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 1.0)}
UNIT = UNIT_X | {"y": FloatDistribution(0.0, 1.0)}
SPACE = Space.model_validate(
    {
        "parameters": {
            "optimizer": {"choices": ["SGD", "AdamW"]},
            "lr0": {"low": 0.0, "high": 1.0},
            "momentum": {"low": 0.5, "high": 0.9, "when": {"optimizer": "SGD"}},
            "beta1": {"name": "momentum", "low": 0.8, "high": 0.9, "default": 0.85, "when": {"optimizer": "AdamW"}},
            "scale": {"low": 0.0, "high": 1.0},
        }
    }
)
STARTS = {"optimizer": "SGD", "lr0": 0.5, "momentum": 0.7, "beta1": 0.85, "scale": 0.5}
STAGES = (
    Stage("lr", 6, frozenset({"lr0"})),
    Stage("optimizer", 8, frozenset({"optimizer", "momentum", "scale"})),
    Stage("all", 5, frozenset(STARTS)),
)


def _objective(params: dict[str, Any]) -> float:
    bonus = 0.1 if params["optimizer"] == "AdamW" else 0.0
    return bonus - (params["lr0"] - 0.3) ** 2 - (params["scale"] - 0.8) ** 2


def _best(study: Study) -> FrozenTrial | None:
    done = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return max(done, key=lambda t: (t.value, -t.number), default=None)


def _sampler(members: Any = ("ga", "tpe", "random", "qmc"), seed: int = 0, **options: Any) -> StagedSampler:
    def make() -> BaseSampler:
        return build_sampler({"members": list(members), **options}, SPACE, seed, defaults=STARTS)

    return StagedSampler(STAGES, STARTS, make, _best)


def _ask(study: Study) -> Trial:
    trial = study.ask()
    SPACE.walk(lambda name, distribution: suggest(trial, name, distribution))
    return trial


def _run(study: Study, n: int) -> list[FrozenTrial]:
    for _ in range(n):
        trial = _ask(study)
        study.tell(trial, _objective(trial.params))
    return study.get_trials()


def _study(sampler: BaseSampler, **options: Any) -> Study:
    study = optuna.create_study(direction="maximize", sampler=sampler, **options)
    if not study.get_trials():
        study.enqueue_trial(SPACE.default_params(STARTS))
    return study


@pytest.fixture(scope="module")
def trials() -> list[FrozenTrial]:
    return _run(_study(_sampler()), 19)


def test_stages_follow_each_other(trials: list[FrozenTrial]) -> None:
    assert [stage_name(t) for t in trials] == ["lr"] * 6 + ["optimizer"] * 8 + ["all"] * 5


def test_the_last_stage_takes_what_an_extension_adds(trials: list[FrozenTrial]) -> None:
    assert next_stage(STAGES, trials).name == "all"


def test_each_stage_starts_from_the_best_of_those_before(trials: list[FrozenTrial]) -> None:
    for stage, first in (("optimizer", 6), ("all", 14)):
        best = max(trials[:first], key=lambda t: (t.value, -t.number))
        starts = {t.user_attrs[STAGE_KEY]["start"] for t in trials if stage_name(t) == stage}
        assert starts == {best.number}
    assert {t.user_attrs[STAGE_KEY]["start"] for t in trials[:6]} == {None}


def test_what_a_stage_does_not_search_stands_still_in_whole_trials(trials: list[FrozenTrial]) -> None:
    assert all(SPACE.is_whole(t.params) for t in trials)
    for trial in trials[1:6]:
        assert trial.params | {"lr0": None} == {"optimizer": "SGD", "momentum": 0.7, "scale": 0.5, "lr0": None}
    assert len({t.params["lr0"] for t in trials[:6]}) == 6
    start = trials[trials[6].user_attrs[STAGE_KEY]["start"]]
    for trial in trials[6:14]:
        assert trial.params["lr0"] == start.params["lr0"]
        if trial.params["optimizer"] == "AdamW":
            assert trial.params["beta1"] == 0.85  # another branch than the start's, and not searched: its default
    assert len({t.params["scale"] for t in trials[6:14]}) > 4
    assert {t.params["optimizer"] for t in trials[6:14]} == {"SGD", "AdamW"}


class _Looking(BaseSampler):
    """Draws the lower bound, and remembers what it was shown."""

    def __init__(self, log: list[dict[int, TrialState]]) -> None:
        self._log = log

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        self._log.append({t.number: t.state for t in study.get_trials(deepcopy=False)})
        assert [t.state for t in study._get_trials(use_cache=True)] == list(self._log[-1].values())
        return SPACE.distributions()

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        searched = next(stage.searched for stage in STAGES if stage.name == stage_name(trial))
        assert search_space.keys() <= searched
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if isinstance(param_distribution, CategoricalDistribution):
            return param_distribution.choices[0]
        assert isinstance(param_distribution, FloatDistribution)
        return param_distribution.low


def test_a_stage_sees_what_agrees_with_its_start_and_the_rest_as_failed() -> None:
    log: list[dict[int, TrialState]] = []
    study = _study(StagedSampler(STAGES, STARTS, lambda: _Looking(log), _best))
    trials = _run(study, 16)
    for number, seen in enumerate(log, start=1):  # trial 0 was enqueued
        assert sorted(seen) == list(range(number + 1))  # each in its place
        assert seen[number] == TrialState.RUNNING
    start = trials[6].user_attrs[STAGE_KEY]["start"]
    shown = {number for number, state in log[9].items() if state == TrialState.COMPLETE}  # as trial 10 saw it
    assert shown == {t.number for t in trials[:10] if t.params["lr0"] == trials[start].params["lr0"]}
    assert start in shown
    assert set(range(6, 10)) <= shown
    assert shown < set(range(10))
    assert all(state != TrialState.FAIL for state in log[14].values())  # the last stage fixes nothing
    assert all(t.state == TrialState.COMPLETE for t in trials)  # the study itself is as it was


@pytest.mark.parametrize("members", [("ga",), ("tpe",), ("qmc",), ("random",)])
def test_any_member_searches_its_stage_alone(members: tuple[str, ...]) -> None:
    trials = _run(_study(_sampler(members)), 16)
    held = trials[trials[6].user_attrs[STAGE_KEY]["start"]].params["lr0"]
    assert {t.params["lr0"] for t in trials[6:14]} == {held}
    assert len({t.params["scale"] for t in trials[6:14]}) > 2
    assert len({t.params["lr0"] for t in trials[14:]}) == 2


def test_a_resume_goes_on_as_the_sweep_would_have(tmp_path: Path, trials: list[FrozenTrial]) -> None:
    for _ in range(19):
        storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
        study = _study(_sampler(), storage=storage, study_name="s", load_if_exists=True)
        found = _run(study, 1)
    assert [t.params for t in found] == [t.params for t in trials]
    assert [t.user_attrs[STAGE_KEY] for t in found] == [t.user_attrs[STAGE_KEY] for t in trials]


def test_a_trial_that_a_kill_cut_off_keeps_its_stage_and_start() -> None:
    study = _study(_sampler())
    _run(study, 6)
    half = study.ask()
    half.suggest_categorical("optimizer", ("SGD", "AdamW"))
    kept = half.user_attrs[STAGE_KEY]
    better = {"optimizer": "SGD", "lr0": 0.3, "momentum": 0.6, "scale": 0.8}
    study.add_trial(
        optuna.create_trial(
            params=better, distributions={n: d for n, d in SPACE.distributions().items() if n in better}, value=1.0
        )
    )
    again = Trial(study, half._trial_id)
    params = SPACE.walk(lambda name, distribution: suggest(again, name, distribution))
    assert again.user_attrs[STAGE_KEY] == kept
    assert params["lr0"] == study.get_trials()[kept["start"]].params["lr0"] != 0.3
    assert _ask(study).user_attrs[STAGE_KEY] == kept  # later ones of the stage start from there, too


def test_trials_of_no_stage_neither_count_nor_mislead() -> None:
    study = _study(_sampler())
    everything = SPACE.distributions()
    foreign = {"optimizer": "SGD", "lr0": 0.9, "momentum": 0.55, "scale": 0.1}
    named = {name: everything[name] for name in foreign}
    study.add_trials([optuna.create_trial(params=foreign, distributions=named, value=9.0)] * 10)
    trials = _run(study, 6)
    assert [stage_name(t) for t in trials if stage_name(t)] == ["lr"] * 6
    assert {t.params["scale"] for t in trials if stage_name(t)} == {0.5}


@pytest.mark.parametrize(
    ("states", "wait"),
    [
        ([TrialState.COMPLETE] * 6, False),
        ([TrialState.COMPLETE] * 5 + [TrialState.RUNNING], True),
        ([TrialState.COMPLETE] * 5, False),  # the stage goes on
        ([TrialState.RUNNING] * 5, False),
        ([TrialState.FAIL] * 6, False),
        ([TrialState.COMPLETE] * 6 + [TrialState.RUNNING], False),  # the next has begun
    ],
)
def test_a_stage_begins_when_those_before_have_ended(states: list[TrialState], wait: bool) -> None:
    study = _study(_sampler(["random"]))
    asked = [_ask(study) for _ in states]
    for trial, state in zip(asked, states, strict=True):
        if state != TrialState.RUNNING:
            study.tell(trial, 0.5 if state == TrialState.COMPLETE else None, state=state)
    assert bool(held_up_by(STAGES, study.get_trials())) is wait


def test_what_waits_at_a_rung_holds_no_stage_up() -> None:
    study = _study(_sampler(["random"]))
    asked = [_ask(study) for _ in range(6)]
    for trial in asked:
        trial.report(0.5, 1)
        trial.set_user_attr(PAUSED_KEY, 1)
    assert not held_up_by(STAGES, study.get_trials())
    asked[3].set_user_attr(PAUSED_KEY, None)
    assert held_up_by(STAGES, study.get_trials())


def test_a_sweep_without_stages_never_waits() -> None:
    assert not held_up_by((), [])


class _Keeping(InMemoryStorage):
    """A storage that keeps its trials beside, too."""

    history = "all trials"


def test_a_storage_that_knows_more_does_not_give_it_away() -> None:
    shown: list[Any] = []

    class Prying(_Looking):
        def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
            shown.append((getattr(study._storage, "history", None), study._storage.get_best_trial(study._study_id)))
            return {}

    study = _study(StagedSampler(STAGES, STARTS, lambda: Prying([]), _best), storage=_Keeping())
    _run(study, 2)
    assert shown == [(None, study.best_trial)]


def test_what_still_waits_from_another_stage_is_shown_as_failed_too() -> None:
    log: list[dict[int, TrialState]] = []
    study = _study(StagedSampler(STAGES, STARTS, lambda: _Looking(log), _best))
    asked = [_ask(study) for _ in range(6)]
    for value, trial in enumerate(asked):
        trial.report(float(value), 1)
    for trial in asked[:5]:
        study.tell(trial, 1.0 if trial.number == 0 else 0.5)  # trial 0 is the best, and all others have lr0 at 0
    asked[5].set_user_attr(PAUSED_KEY, 1)
    _ask(study)
    assert log[-1] == {0: TrialState.COMPLETE, **dict.fromkeys(range(1, 6), TrialState.FAIL), 6: TrialState.RUNNING}
    assert study.get_trials()[5].state == TrialState.RUNNING


def test_what_diverged_elsewhere_did_not_diverge_where_a_stage_starts() -> None:
    trials = [
        optuna.create_trial(params={"x": x, "y": 0.5}, distributions=UNIT, state=TrialState.FAIL) for x in (0.1, 0.5)
    ]
    for trial in trials:
        trial.set_user_attr(FAILURE_KIND, DIVERGED)
    study = optuna.create_study()
    study.add_trials(trials)
    held = _Agreeing(study._storage, {"x": 0.5})
    assert [diverged(trial) for trial in held.get_all_trials(study._study_id)] == [False, True]
    assert all(diverged(trial) for trial in study.trials)


def test_a_stage_is_seen_through_the_views_of_its_members() -> None:
    study = optuna.create_study()
    for x in (0.1, 0.5, 0.5):
        trial = optuna.create_trial(
            params={"x": x}, distributions=UNIT_X, state=TrialState.RUNNING, intermediate_values={1: x}
        )
        trial.set_user_attr(PAUSED_KEY, 1)
        study.add_trial(trial)
    staged = _View(study, _Agreeing(study._storage, {"x": 0.5}))
    seen = SharedView(functools.partial(BoundedView, bound=300, paused="pruned")).sample(staged)
    assert [(t.number, t.state) for t in seen.get_trials()] == [(1, TrialState.PRUNED), (2, TrialState.PRUNED)]
