from __future__ import annotations

import time
from pathlib import Path

import optuna
import pytest
from optuna.storages.journal import JournalFileSymlinkLock

from data_prep.errors import InputError
from search.drivers import driver
from search.journal import JOURNAL, mend_journal
from search.keys import LAST
from search.opening import load_study
from tests.search.conftest import SweepFiles, open_tiny


def test_trial_0_is_the_default_hyp(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    first, second = study.draw(), study.draw()
    assert first.params == {"lr0": 0.01, "momentum": 0.937}
    assert first.user_attrs["sampler"] == "default"
    assert second.params != first.params
    assert second.user_attrs["sampler"] == "random"


def test_trial_0_starts_at_the_given_hyp(files: SweepFiles) -> None:
    (files.folder / "hyp.yaml").write_text("lr0: 0.02\n")
    study, _ = open_tiny(files, hyp="hyp.yaml")
    assert study.draw().params["lr0"] == 0.02


def test_opening_again_adds_no_second_default(files: SweepFiles) -> None:
    open_tiny(files)
    study, _ = open_tiny(files, new=False)
    assert len(study.trials()) == 1
    assert study.started() == 0


def test_a_new_sweep_does_not_take_over_a_study_of_its_name(files: SweepFiles) -> None:
    url = f"sqlite:///{files.folder}/study.db"
    open_tiny(files, study_storage=url)
    with pytest.raises(InputError, match=r"study_storage.*`tiny`"):
        open_tiny(files, study_storage=url)
    open_tiny(files, study_storage=url, new=False)


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////no/such/folder/study.db", "foo://bar"])
def test_a_wrong_storage_url_is_named(files: SweepFiles, url: str) -> None:
    with pytest.raises(InputError, match=f"study_storage: {url}"):
        open_tiny(files, study_storage=url)


def test_a_password_is_not_shown(files: SweepFiles) -> None:
    with pytest.raises(InputError, match=r"foo://me:\*\*\*@host/studies cannot be opened") as caught:
        open_tiny(files, study_storage="foo://me:hush@host/studies")
    assert "hush" not in str(caught.value)


def test_a_relative_sqlite_file_is_the_same_wherever_a_sweep_is_resumed(
    files: SweepFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, _ = open_tiny(files, study_storage="sqlite:///study.db")
    study.report(study.draw().number, 1, 0.5)
    assert (files.folder / "study.db").is_file()
    (files.folder / "elsewhere").mkdir()
    monkeypatch.chdir(files.folder / "elsewhere")
    again, _ = open_tiny(files, new=False, study_storage="sqlite:///study.db")
    assert again.trial(0).intermediate_values == {1: 0.5}
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite:///other.db", None])
def test_a_study_that_is_gone_does_not_begin_anew(files: SweepFiles, url: str | None) -> None:
    open_tiny(files, study_storage="sqlite:///study.db")
    with pytest.raises(InputError, match=rf"holds no study `tiny`, and the sweep in {files.run} had one"):
        open_tiny(files, new=False, study_storage=url)
    with pytest.raises(InputError, match="holds no study `tiny`"):
        load_study(files.config(study_storage="sqlite:///other.db"), files.run)
    assert not (files.folder / "other.db").exists()
    assert not (files.run / JOURNAL).exists()


@pytest.mark.parametrize("trace", ["results.csv", "ray/session_000/state"])
def test_nor_does_that_of_a_folder_of_an_earlier_version(files: SweepFiles, trace: str) -> None:
    (files.run / trace).parent.mkdir(parents=True)
    (files.run / trace).touch()
    optuna.create_study(storage=f"sqlite:///{files.folder}/study.db", study_name="another")
    with pytest.raises(InputError, match="holds no study `tiny`"):
        open_tiny(files, new=False, study_storage="sqlite:///study.db")


def test_another_study_of_the_same_name_is_refused(files: SweepFiles) -> None:
    open_tiny(files, study_storage="sqlite:///study.db")
    optuna.delete_study(storage=f"sqlite:///{files.folder}/study.db", study_name="tiny")
    (files.folder / "other").mkdir()
    other = SweepFiles(files.folder / "other")
    open_tiny(other, study_storage=f"sqlite:///{files.folder}/study.db")
    with pytest.raises(InputError, match="is another sweep's"):
        open_tiny(files, new=False, study_storage="sqlite:///study.db")


def test_a_sweep_that_was_killed_before_its_study_begins_it(files: SweepFiles) -> None:
    with driver(files.run):
        study, _ = open_tiny(files, new=False)
    assert len(study.trials()) == 1


def test_a_half_written_record_is_cut_off_and_the_journal_goes_on(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    trial = study.draw()
    journal = files.run / JOURNAL
    with journal.open("ab") as file:
        file.write(b'{"op_code": 8, "worker_id": "x", "tri')
    reopened, _ = open_tiny(files, new=False)
    reopened.report(trial.number, 1, 0.5)
    reopened.report(trial.number, 2, 0.6)
    again, _ = open_tiny(files, new=False)
    assert again.trial(0).intermediate_values == {1: 0.5, 2: 0.6}


def test_the_lock_of_a_killed_driver_is_freed_at_once(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    number = study.draw().number
    lock = JournalFileSymlinkLock(str((files.run / JOURNAL).resolve()))
    lock.acquire()  # and never let go
    started = time.monotonic()
    reopened, _ = open_tiny(files, new=False)
    reopened.report(number, 1, 0.5)
    assert time.monotonic() - started < 6
    assert reopened.trial(number).intermediate_values == {1: 0.5}


def test_mending_leaves_a_whole_journal_alone(files: SweepFiles) -> None:
    open_tiny(files)
    before = (files.run / JOURNAL).read_bytes()
    mend_journal(files.run)
    assert (files.run / JOURNAL).read_bytes() == before


def test_optuna_can_open_the_study_without_us(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    study.note(study.draw().number, LAST, {"epoch": 1})
    backend = optuna.storages.journal.JournalFileBackend(str(files.run / JOURNAL))
    loaded = optuna.load_study(study_name="tiny", storage=optuna.storages.JournalStorage(backend))
    assert loaded.trials[0].user_attrs["last"] == {"epoch": 1}


def test_a_folder_without_a_study_is_refused(files: SweepFiles) -> None:
    files.run.mkdir()
    with pytest.raises(InputError, match=JOURNAL):
        load_study(files.config(), files.run)
    assert not (files.run / JOURNAL).exists()
