"""What members are shown, against what they would make of the whole study."""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Sequence
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import _split_trials, default_gamma
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.samplers import GeneticSampler, TrialSeededSampler
from search.samplers._bounded import BEST, BoundedView
from search.samplers._parents_view import ParentsView
from search.samplers._population import PARENT_STATES, ranked
from search.samplers.history import History, shown
from search.samplers.keys import PAUSED_KEY
from search.samplers.views import SharedView, StudyView, ViewSampler
from tests.search.samplers.studies import next_trial

X = FloatDistribution(0.0, 1.0)
Y = FloatDistribution(0.0, 2.0)
VALUES = st.one_of(st.floats(-1, 1), st.sampled_from([math.nan, math.inf, 0.5]))


@st.composite
def trials_of(draw: st.DrawFn, max_size: int = 12) -> list[FrozenTrial]:
    """Trials in every state, with and without steps, a parameter that some lack, and ones that wait at a rung."""
    made = []
    for number in range(draw(st.integers(0, max_size))):
        state = draw(st.sampled_from([*PARENT_STATES, *PARENT_STATES, TrialState.RUNNING, TrialState.FAIL]))
        last = draw(st.sampled_from([0, 1, 1, 3, 9]))
        steps = {step: draw(VALUES) for step in range(1, last + 1)}
        held = {"x": draw(st.floats(0, 1))} | ({"y": draw(st.floats(0, 2))} if draw(st.booleans()) else {})
        waits = state == TrialState.RUNNING and last and draw(st.booleans())
        value = draw(st.floats(-1, 1)) if state == TrialState.COMPLETE else None
        if state == TrialState.PRUNED and steps and not math.isnan(steps[last]):
            value = steps[last]
        trial = optuna.trial.create_trial(
            state=state,
            value=value,
            intermediate_values=steps,
            params=held,
            distributions={name: {"x": X, "y": Y}[name] for name in held},
            user_attrs={PAUSED_KEY: last} if waits else {},
        )
        trial.number = number
        made.append(trial)
    return made


def study_of(trials: Sequence[FrozenTrial], direction: Any = "maximize") -> Study:
    study = optuna.create_study(direction=direction)
    for trial in trials:
        study._storage.create_new_trial(study._study_id, template_trial=trial)
    return study


def followed(study: Study) -> History:
    history = History(study._storage, study._study_id)
    history.refresh()
    return history


def best(trials: Sequence[FrozenTrial], n: int, direction: str, name: str | None = None) -> list[Any]:
    seen = [shown(trial, "pruned") for trial in trials]
    order = ranked([t for t in seen if t.state in PARENT_STATES], n, maximize=direction == "maximize")
    holders = [i for i in order if name is None or name in i.params]
    return [(i.number, i.fitness, i.params) for i in holders[:n]]


@settings(max_examples=80, deadline=None)
@given(trials_of(), st.integers(1, 6), st.sampled_from(["maximize", "minimize"]))
def test_the_ga_sees_the_parents_that_it_would_choose_from_all(
    trials: list[FrozenTrial], n: int, direction: str
) -> None:
    study = study_of(trials, direction)
    history, view = followed(study), ParentsView(study, n)
    history.attach(view)
    assert best(view.trials(history), n, direction) == best(trials, n, direction)
    seen = view.trials(history, "y", Y)
    assert best(seen, n, direction, "y") == best(trials, n, direction, "y")


@settings(max_examples=60, deadline=None)
@given(trials_of(), trials_of(), st.integers(1, 6))
def test_the_ga_is_shown_the_same_as_trials_change_and_from_the_start(
    first: list[FrozenTrial], second: list[FrozenTrial], n: int
) -> None:
    """The second list stands for what became of the trials of the first, and for new ones."""
    study = optuna.create_study(direction="maximize")
    grown, fresh = ParentsView(study, n), ParentsView(study, n)
    history = History(study._storage, study._study_id)
    history._trials = latest = list(first)
    for trial in first:
        grown.replace(None, trial)
    for new in second:
        grown.trials(history)  # whatever it remembers of that moment
        old = latest[new.number] if new.number < len(latest) else None
        if old is not None:  # a trial keeps its parameters
            new.params, new.distributions = old.params, old.distributions
        latest[new.number :] = [new, *latest[new.number + 1 :]]
        grown.replace(old, new)
    for trial in latest:
        fresh.replace(None, trial)
    assert [t.number for t in grown.trials(history)] == [t.number for t in fresh.trials(history)]
    assert best(grown.trials(history), n, "maximize") == best(latest, n, "maximize")


def test_trials_that_told_no_steps_do_not_hide_the_rung_of_comparison() -> None:
    """Imported results have no curve; the best of them alone would look as if epoch 1 were the rung."""

    def trial(number: int, steps: dict[int, float]) -> FrozenTrial:
        made = optuna.trial.create_trial(
            params={"x": 0.0}, distributions={"x": X}, value=0.0, intermediate_values=steps
        )
        made.number = number
        return made

    trials = [
        trial(0, {1: 0.0}),
        *(trial(n, {}) for n in range(1, 9)),
        trial(9, {1: 0.0, 2: 0.0, 3: 0.0}),
        trial(10, {}),
    ]
    study = study_of(trials, "maximize")
    history, view = followed(study), ParentsView(study, 1)
    history.attach(view)
    assert best(view.trials(history), 1, "maximize") == best(trials, 1, "maximize")


def many(count: int, seed: int = 0, running: int = 0) -> list[FrozenTrial]:
    lots = [((seed + n) * 7919 % 1009) / 1009 for n in range(count + running)]
    trials = []
    for number, lot in enumerate(lots):
        ended = number < count
        last = (1, 1, 3, 9)[number % 4]
        state = TrialState.RUNNING if not ended else TrialState.COMPLETE if last == 9 else TrialState.PRUNED
        trial = optuna.trial.create_trial(
            state=state,
            params={"x": lot},
            distributions={"x": X},
            value=lot if ended else None,
            intermediate_values={last: lot} if ended else {},
        )
        trial.number = number
        trials.append(trial)
    return trials


@pytest.mark.parametrize(("count", "running"), [(900, 0), (700, 400), (300, 1500), (100, 800)])
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_tpe_sees_the_trials_that_it_takes_for_the_good_ones(count: int, running: int, direction: str) -> None:
    trials = many(count, running=running)
    study = study_of(trials, direction)
    history, view = followed(study), BoundedView(study, 300)
    history.attach(view)
    seen = view.trials(history)
    assert len(seen) == 300
    assert [t.number for t in seen] == sorted({t.number for t in seen})
    assert _good(study, seen) == _good(study, trials)


def _good(study: Study, trials: Sequence[FrozenTrial]) -> list[int]:
    ended = sum(t.state != TrialState.RUNNING for t in trials)
    below, _ = _split_trials(study, list(trials), default_gamma(ended))
    return [t.number for t in below]


@settings(max_examples=50, deadline=None)
@given(trials_of(max_size=14), st.sampled_from(["running", "pruned"]), st.sampled_from(["maximize", "minimize"]))
def test_ranks_are_those_of_optuna(trials: list[FrozenTrial], paused: Any, direction: str) -> None:
    study = study_of(trials, direction)
    view = BoundedView(study, 300, paused)
    for trial in trials:
        view.replace(None, trial)
    visible = [t for t in (shown(t, paused) for t in trials) if t.state in PARENT_STATES]
    for n in (1, 3, 8):
        below, _ = _split_trials(study, visible, n)
        assert sorted(key[-1] for key in itertools.islice(view._best, n)) == [t.number for t in below]


def test_the_sample_keeps_the_shares_of_old_and_new_and_of_those_at_work() -> None:
    trials = many(3000, running=1000)
    study = study_of(trials)
    history, view = followed(study), BoundedView(study, 600)
    history.attach(view)
    seen = view.trials(history)
    rest = seen[:]
    older = sum(t.number < 1500 for t in rest if t.state != TrialState.RUNNING)
    ended = sum(t.state != TrialState.RUNNING for t in rest)
    assert 0.42 < older / ended < 0.58  # of 450, three standard deviations are 0.07
    assert abs(ended - BEST - 575 * (2975 / 3975)) <= 1


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(40)), st.data())
def test_what_is_seen_does_not_depend_on_the_way_there(order: list[int], data: st.DataObject) -> None:
    """Trials change state in any order, some several times: the view is that of their latest states."""
    trials = many(340, running=40)
    study = study_of(trials)
    view, fresh = BoundedView(study, 280), BoundedView(study, 280)
    for number in order:
        running = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={PAUSED_KEY: None})
        running.number = number
        for _ in range(data.draw(st.integers(0, 2))):
            view.replace(None, running)
    for trial in trials:
        view.replace(None, trial)
        fresh.replace(None, trial)
    history = followed(study)
    assert [t.number for t in view.trials(history)] == [t.number for t in fresh.trials(history)]


def test_a_larger_study_changes_the_sample_by_single_trials() -> None:
    study = study_of(many(1000))
    view = BoundedView(study, 300)
    history = followed(study)
    history.attach(view)
    before = {t.number for t in view.trials(history)}
    (newest,) = many(1, seed=1234)
    newest.number = 1000
    view.replace(None, newest)
    view._seen[1000] = newest
    assert len(before - {t.number for t in view.trials(history)}) <= 2


def test_the_space_is_inferred_as_from_all_trials() -> None:
    wide = FloatDistribution(0.0, 3.0)
    spaces: list[dict[str, BaseDistribution]] = [{"x": X, "y": Y}, {"x": X}, {"x": X, "y": wide}]
    trials = [optuna.trial.create_trial(params=dict.fromkeys(s, 0.5), distributions=s, value=1.0) for s in spaces * 100]
    study = optuna.create_study()
    study.add_trials(trials)
    member = ViewSampler(TPESampler(seed=0), SharedView(_bounded))
    trial = next_trial(study)
    expected = TPESampler(seed=0).infer_relative_search_space(study, trial)
    assert member.infer_relative_search_space(study, trial) == expected == {"x": X}
    seen = member._view.space(study)
    assert len(seen.get_trials(deepcopy=False)) == 3


def _bounded(study: Study) -> BoundedView:
    return BoundedView(study, 300)


def _made(seed: int) -> ViewSampler:
    return ViewSampler(TPESampler(seed=seed, multivariate=True, constant_liar=True), SharedView(_bounded))


def test_within_the_bound_tpe_draws_what_it_draws_alone() -> None:
    study = study_of(many(200, running=20))
    alone = TrialSeededSampler(lambda seed: TPESampler(seed=seed, multivariate=True, constant_liar=True), seed=3)
    viewed = TrialSeededSampler(_made, seed=3)
    trial = next_trial(study)
    assert viewed.sample_relative(study, trial, {"x": X}) == alone.sample_relative(study, trial, {"x": X})


def test_a_view_is_pickled_without_what_it_has_seen() -> None:
    study = study_of(many(400))
    sampler, ga = _made(0), GeneticSampler(seed=0)
    trial = next_trial(study)
    drawn = ga.sample_relative(study, trial, {"x": X})
    sampler.sample_relative(study, trial, {"x": X})
    assert len(pickle.dumps(sampler._view)) < 500
    assert pickle.loads(pickle.dumps(ga)).sample_relative(study, trial, {"x": X}) == drawn


def test_a_sampler_that_meets_another_study_forgets_the_first() -> None:
    ga, first, second = GeneticSampler(seed=0), study_of(many(50)), study_of(many(60, seed=500))
    trial = next_trial(second)
    expected = [GeneticSampler(seed=0).sample_relative(study, trial, {"x": X}) for study in (first, second)]
    assert [ga.sample_relative(study, trial, {"x": X}) for study in (first, second)] == expected
    assert expected[0] != expected[1]


def test_a_study_that_somebody_else_filtered_is_left_as_it_is() -> None:
    study = study_of(many(50))
    filtered = StudyView(study, study.get_trials(deepcopy=False)[:10])
    assert SharedView(_bounded).sample(filtered) is filtered


def test_a_startup_beyond_the_bound_comes_to_its_end() -> None:
    study = study_of(many(600, running=1000))
    view = BoundedView(study, 300, fewest_ended=500)
    history = followed(study)
    history.attach(view)
    assert sum(t.state != TrialState.RUNNING for t in view.trials(history)) >= 500


@pytest.mark.parametrize("count", [400, 2000])
def test_what_members_look_at_does_not_grow(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the GA, TPE and the study alike: a suggestion after a change reads what is bounded, and what has changed."""
    study = study_of(many(count, running=30))
    assert study.direction == StudyDirection.MAXIMIZE
    history = followed(study)
    views = ParentsView(study, 5), BoundedView(study, 300)
    for view in views:
        history.attach(view)
        view.trials(history)
    listed: list[int] = []
    monkeypatch.setattr(ParentsView, "_list", lambda self, trial: listed.append(trial.number))
    visited = history.visited
    study.tell(count, 2.0)
    history.refresh()
    assert history.visited - visited == 30  # in memory: those that had not ended; a journal names the one
    assert [len(view.trials(history)) <= 300 for view in views] == [True, True]
    assert listed == [count]
