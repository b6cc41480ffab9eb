from __future__ import annotations

import json
from pathlib import Path

import pytest

from search.checkpoints import begin_session, discard, newest_checkpoint
from search.storage import stored_bytes


def put(root: Path, session: str, trial: int, folder: str, epoch: int | None, *, tensors: int | None = None) -> Path:
    """A checkpoint folder; without an epoch it has no checkpoint.json, ``tensors`` is the size that it claims."""
    path = root / session / f"trial_{trial:05d}" / folder
    path.mkdir(parents=True)
    (path / "tensors.pt").write_bytes(b"x" * 10)
    if epoch is not None:
        claim = {} if tensors is None else {"tensors": {"bytes": tensors}}
        (path / "checkpoint.json").write_text(json.dumps({"epoch": epoch, **claim}))
    return path


def newest(root: Path, trial: int, below: int = 100) -> str | None:
    found = newest_checkpoint(str(root), trial, below)
    return found.path if found else None


def test_the_newest_is_the_one_with_most_epochs_whatever_its_name(tmp_path: Path) -> None:
    put(tmp_path, "session_001", 3, "checkpoint_000000", 5)
    expected = put(tmp_path, "session_001", 3, "checkpoint_000001", 7)
    put(tmp_path, "session_000", 3, "checkpoint_000004", 4)
    put(tmp_path, "session_001", 4, "checkpoint_000009", 9)
    assert newest(tmp_path, 3) == str(expected)


def test_of_equal_epochs_the_later_driver_wins(tmp_path: Path) -> None:
    put(tmp_path, "session_000", 0, "checkpoint_000004", 4)
    expected = put(tmp_path, "session_001", 0, "checkpoint_000000", 4)
    assert newest(tmp_path, 0) == str(expected)


def test_what_a_kill_cut_off_is_passed_over(tmp_path: Path) -> None:
    whole = put(tmp_path, "session_000", 0, "checkpoint_000000", 1, tensors=10)
    put(tmp_path, "session_000", 0, "checkpoint_000001", None)
    put(tmp_path, "session_000", 0, "checkpoint_000002", 3, tensors=11)
    (put(tmp_path, "session_000", 0, "checkpoint_000003", 4) / "checkpoint.json").write_text('{"epoch": 4')
    assert newest(tmp_path, 0) == str(whole)


def test_one_of_the_last_epoch_leaves_nothing_to_train(tmp_path: Path) -> None:
    expected = put(tmp_path, "session_000", 0, "checkpoint_000007", 8)
    put(tmp_path, "session_000", 0, "checkpoint_000008", 9)
    assert newest(tmp_path, 0, below=9) == str(expected)


@pytest.mark.parametrize("root", ["/nowhere/at/all", "{}"])
def test_none_where_there_is_none(tmp_path: Path, root: str) -> None:
    assert newest_checkpoint(root.format(tmp_path), 0, 9) is None


def test_a_uri_works_as_a_path_does(tmp_path: Path) -> None:
    put(tmp_path, "session_000", 0, "checkpoint_000000", 2)
    found = newest_checkpoint(f"file://{tmp_path}", 0, 9)
    assert found is not None
    assert found.path == f"file://{tmp_path}/session_000/trial_00000/checkpoint_000000"


def test_sessions_are_never_used_twice(tmp_path: Path) -> None:
    assert begin_session(str(tmp_path / "none")) == "session_000"
    (tmp_path / "session_000").mkdir()
    (tmp_path / "session_004").mkdir()
    assert begin_session(str(tmp_path)) == "session_005"


def test_a_trials_checkpoints_can_be_discarded_without_its_neighbours(tmp_path: Path) -> None:
    for session in ("session_000", "session_001"):
        for trial in ("trial_00003", "trial_00004"):
            folder = tmp_path / session / trial / "checkpoint_000000"
            folder.mkdir(parents=True)
            (folder / "checkpoint.json").write_text('{"epoch": 1}')

    discard(str(tmp_path), 3)

    assert newest_checkpoint(str(tmp_path), 3, below=9) is None
    assert newest_checkpoint(str(tmp_path), 4, below=9) is not None


def test_the_newest_whole_one_can_be_spared(tmp_path: Path) -> None:
    put(tmp_path, "session_000", 3, "checkpoint_000001", 4)
    newest = put(tmp_path, "session_001", 3, "checkpoint_000000", 9, tensors=10)
    put(tmp_path, "session_001", 3, "checkpoint_000001", 10, tensors=11)  # cut short
    other = put(tmp_path, "session_001", 4, "checkpoint_000000", 1)
    discard(str(tmp_path), 3, but_newest=True)
    assert sorted(path.parent for path in tmp_path.rglob("tensors.pt")) == [newest, other]


def test_a_trial_that_was_begun_again_in_one_session_is_found_in_both_its_folders(tmp_path: Path) -> None:
    """Ray adds to the name of a folder that is there already."""
    put(tmp_path, "session_000", 3, "checkpoint_000000", 4)
    put(tmp_path, "session_000", 4, "checkpoint_000000", 9)
    (tmp_path / "session_000" / "trial_00004").rename(tmp_path / "session_000" / "trial_00003_1a2b")
    put(tmp_path, "session_000", 30, "checkpoint_000000", 8)
    assert newest(tmp_path, 3) == str(tmp_path / "session_000" / "trial_00003_1a2b" / "checkpoint_000000")
    assert stored_bytes(str(tmp_path)).keys() == {3, 30}
    discard(str(tmp_path), 3)
    assert stored_bytes(str(tmp_path)).keys() == {30}
