"""Journals that a kill, a full disk or an earlier version left damaged."""

from __future__ import annotations

import json
import resource
import signal
import tempfile
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from data_prep.errors import InputError
from search.journal import JOURNAL, append_lines, damaged_line, mend_journal
from search.journal_storage import SweepJournal
from search.opening import load_study
from tests.search.conftest import SweepFiles, open_tiny


def write_journal(path: Path) -> int:
    """A journal of a trial with some records; the length of what comes before them."""
    storage = SweepJournal(path)
    trial = storage.create_new_trial(optuna.create_study(storage=storage, study_name="s")._study_id)
    before = path.stat().st_size
    with storage.together():
        storage.set_trial_intermediate_value(trial, 1, 0.5)
        storage.set_trial_user_attr(trial, "last", {"metrics": {"text": 'braces {"op_code": 1} {', "짐": [1, {}]}})
        storage.set_trial_user_attr(trial, "a", 1)
    return before


def noted(path: Path) -> dict[str, object]:
    return dict(JournalStorage(JournalFileBackend(str(path))).get_trial(0).user_attrs)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_wherever_a_write_is_cut_the_next_one_is_readable_by_all(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, JOURNAL)
        before = write_journal(path)
        content = path.read_bytes()
        path.write_bytes(content[: data.draw(st.integers(before, len(content)))])
        whole = path.read_bytes()[: path.read_bytes().rfind(b"\n") + 1]
        reader = SweepJournal(path)  # has read up to the cut
        expected = dict(reader.get_trial(0).user_attrs)
        for key in ("b", "c"):
            SweepJournal(path).set_trial_user_attr(0, key, 2)
        assert path.read_bytes().startswith(whole)
        assert path.read_bytes().count(b"\n") == whole.count(b"\n") + 2
        assert reader.get_trial(0).user_attrs == noted(path) == {**expected, "b": 2, "c": 2}
        assert damaged_line(path) is None


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_record_that_was_written_behind_half_a_one_is_saved(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, JOURNAL)
        before = write_journal(path)
        content = path.read_bytes()
        cut = content[: data.draw(st.integers(before, len(content)))]
        whole = cut[: cut.rfind(b"\n") + 1]
        path.write_bytes(whole)
        expected = noted(path)
        path.write_bytes(cut)
        other = JournalStorage(JournalFileBackend(str(path)))
        for key in ("b", "c"):  # as earlier versions, and Optuna itself, write
            other._backend.append_logs([{"op_code": 8, "worker_id": "x", "trial_id": 0, "user_attr": {key: {"x": {}}}}])
        length = path.stat().st_size
        mend_journal(path.parent)
        assert noted(path) == {**expected, "b": {"x": {}}, "c": {"x": {}}}
        assert path.stat().st_size == length


def test_a_line_that_cannot_be_told_is_named_and_left(files: SweepFiles) -> None:
    open_tiny(files)
    journal = files.run / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:1], lines[1][:-9] + b"\n", *lines[2:]])
    journal.write_bytes(damaged)
    with pytest.raises(InputError, match=rf"{journal}: line 2 is damaged"):
        open_tiny(files, new=False)
    with pytest.raises(InputError, match=rf"{journal}: line 2 is damaged.*hypsweep resume {files.run}"):
        load_study(files.config(), files.run)
    assert journal.read_bytes() == damaged


def test_what_a_full_disk_refuses_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL
    first, second = (json.dumps({"op_code": n, "worker_id": "x" * 50}).encode() + b"\n" for n in range(2))
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    append_lines(path, first)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * len(first) - 10, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            append_lines(path, second + second)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == first + second
    append_lines(path, first)
    assert path.read_bytes() == first + second + first


def test_a_long_half_line_is_cut_off_whole(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL
    for kept in (b"", b"{}\n"):
        path.write_bytes(kept + b"x" * 200_000)
        append_lines(path, b"[]\n")
        assert path.read_bytes() == kept + b"[]\n"
