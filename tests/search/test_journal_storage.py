from __future__ import annotations

import contextlib
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from search.journal import mend_journal
from search.journal_storage import SweepJournal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.journal"


def open_study(path: Path) -> tuple[SweepJournal, optuna.Study, int]:
    """A journal with one running trial."""
    storage = SweepJournal(path)
    study = optuna.create_study(storage=storage, study_name="s")
    return storage, study, storage.create_new_trial(study._study_id)


def test_what_is_told_together_is_written_at_once_and_in_order(path: Path) -> None:
    storage, study, trial = open_study(path)
    before = path.read_bytes()
    with storage.together():
        storage.set_trial_intermediate_value(trial, 1, 0.5)
        with storage.together():
            storage.set_trial_user_attr(trial, "a", 1)
        storage.set_trial_state_values(trial, TrialState.COMPLETE, [0.5])
        assert path.read_bytes() == before
    assert path.read_bytes().count(b"\n") == before.count(b"\n") + 3
    (told,) = study.trials
    assert (told.intermediate_values, told.user_attrs, told.value) == ({1: 0.5}, {"a": 1}, 0.5)


def test_what_was_told_before_an_error_is_written(path: Path) -> None:
    storage, _, trial = open_study(path)
    with contextlib.suppress(ZeroDivisionError), storage.together():
        storage.set_trial_user_attr(trial, "a", 1)
        raise ZeroDivisionError
    storage.set_trial_user_attr(trial, "b", 2)
    assert storage.get_trial(trial).user_attrs == {"a": 1, "b": 2}


def test_optuna_reads_the_same_file(path: Path) -> None:
    storage, study, trial = open_study(path)
    with storage.together():
        storage.set_trial_intermediate_value(trial, 1, 0.5)
        storage.set_trial_user_attr(trial, "a", [1, 2])
    read = optuna.load_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(path))))
    assert read.trials == study.trials


def test_changes_are_named_whoever_makes_them(path: Path) -> None:
    storage, study, trial = open_study(path)
    changed = storage.watch()
    other = JournalStorage(JournalFileBackend(str(path)))
    other.set_trial_user_attr(trial, "a", 1)
    second = other.create_new_trial(study._study_id)
    other.set_trial_intermediate_value(second, 1, 0.5)
    assert changed.take() == []
    storage.get_trial(trial)  # reads the journal
    assert changed.take() == [trial, second]
    assert changed.take() == []


def test_a_kill_in_mid_write_leaves_the_first_records(path: Path) -> None:
    storage, _, trial = open_study(path)
    before = len(path.read_bytes())
    with storage.together():
        storage.set_trial_intermediate_value(trial, 1, 0.5)
        storage.set_trial_user_attr(trial, "a", 1)
    content = path.read_bytes()
    for cut in range(before, len(content)):
        path.write_bytes(content[:cut])
        mend_journal(path.parent)
        left = SweepJournal(path).get_trial(trial)
        assert (left.intermediate_values, left.user_attrs) in (({}, {}), ({1: 0.5}, {}))
        SweepJournal(path).set_trial_user_attr(trial, "b", 2)
        assert SweepJournal(path).get_trial(trial).user_attrs == {"b": 2}
