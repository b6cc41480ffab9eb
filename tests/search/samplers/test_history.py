"""The trials at hand against the study itself, and what keeping up with it costs."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from search.journal_storage import SweepJournal
from search.samplers.history import History, shown
from search.samplers.keys import PAUSED_KEY

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["create", "enqueue", "report", "note", "finish", "fail", "refresh", "of another study"]),
        st.integers(0, 7),
        st.booleans(),
    ),
    max_size=25,
)


def act(storage: BaseStorage, study_id: int, other_study: int, action: str, number: int) -> None:
    """Do something to a trial, if there is one that it can be done to."""
    trials = storage.get_all_trials(study_id, deepcopy=False)
    if action == "of another study":
        storage.set_trial_user_attr(storage.create_new_trial(other_study), "a", 1)
    elif action == "create":
        storage.create_new_trial(study_id)
    elif action == "enqueue":
        storage.create_new_trial(study_id, optuna.trial.create_trial(state=TrialState.WAITING))
    elif number < len(trials) and trials[number].state == TrialState.RUNNING:
        trial_id = trials[number]._trial_id
        if action == "report":
            storage.set_trial_intermediate_value(trial_id, 1, 0.5)
        elif action == "note":
            storage.set_trial_user_attr(trial_id, "a", number)
        elif action != "refresh":
            state = TrialState.COMPLETE if action == "finish" else TrialState.FAIL
            storage.set_trial_state_values(trial_id, state, [1.0] if action == "finish" else None)


def told(trials: list[FrozenTrial]) -> list[tuple[object, ...]]:
    return [(t.number, t.state, t.values, t.intermediate_values, t.user_attrs) for t in trials]


@settings(max_examples=40, deadline=None)
@given(ACTIONS, st.booleans())
def test_it_is_the_study_whoever_writes(actions: list[tuple[str, int, bool]], is_journal: bool) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder).resolve() / "study.journal"
        storage: BaseStorage = SweepJournal(path) if is_journal else InMemoryStorage()
        other = JournalStorage(JournalFileBackend(str(path))) if is_journal else storage
        study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "s")
        other_study = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "other")
        history = History(storage, study_id)
        for action, number, by_other in actions:
            act(other if by_other else storage, study_id, other_study, action, number)
            if action == "refresh":
                history.refresh()
        history.refresh()
        trials = storage.get_all_trials(study_id)
        assert told(list(history.trials)) == told(trials)
        for state in TrialState:
            assert told(list(history.of_states([state]))) == told([t for t in trials if t.state == state])
            assert history.count(state) == sum(t.state == state for t in trials)


@pytest.mark.parametrize("is_journal", [True, False])
def test_keeping_up_costs_what_has_changed(tmp_path: Path, is_journal: bool) -> None:
    storage: BaseStorage = SweepJournal((tmp_path / "study.journal").resolve()) if is_journal else InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="s")
    study.add_trials([optuna.trial.create_trial(value=1.0) for _ in range(300)])
    history = History(storage, study._study_id)
    history.refresh()
    before = history.visited
    for _ in range(10):
        history.refresh()
    assert history.visited == before
    trial_id = storage.create_new_trial(study._study_id)
    history.refresh()
    storage.set_trial_intermediate_value(trial_id, 1, 0.5)
    history.refresh()
    storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.5])
    history.refresh()
    assert history.visited == before + 3
    assert len(history.trials) == 301


def test_a_paused_trial_is_shown_as_it_shall_be() -> None:
    waits = optuna.trial.create_trial(
        state=TrialState.RUNNING, intermediate_values={1: 0.1, 3: 0.3}, user_attrs={PAUSED_KEY: 3}
    )
    trains = optuna.trial.create_trial(
        state=TrialState.RUNNING, intermediate_values={1: 0.1}, user_attrs={PAUSED_KEY: None}
    )
    stopped = shown(waits, "pruned")
    assert (stopped.state, stopped.value, waits.state) == (TrialState.PRUNED, 0.3, TrialState.RUNNING)
    assert shown(waits, "running") is waits
    assert shown(trains, "pruned") is trains
