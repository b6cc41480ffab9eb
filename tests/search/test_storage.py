from __future__ import annotations

from pathlib import Path

import pytest

from search.storage import Usage, checkpoint_root, checkpoint_usage, stored_bytes
from tests.search.conftest import SweepFiles
from tests.search.test_checkpoints import put


def test_bytes_of_checkpoints_are_counted_by_trial_and_nothing_else_is(tmp_path: Path) -> None:
    for session, trial in (("session_000", 3), ("session_001", 3), ("session_001", 12)):
        put(tmp_path, session, trial, "checkpoint_000000", None)  # 10 bytes of tensors
    (put(tmp_path, "session_001", 12, "checkpoint_000001", None) / "deep").mkdir()
    (tmp_path / "session_001" / "trial_00012" / "checkpoint_000001" / "deep" / "more.bin").write_bytes(b"x" * 7)
    (tmp_path / "session_000" / "trial_00004").mkdir()
    (tmp_path / "session_000" / "trial_00004" / "error.txt").write_text("a long traceback")
    (tmp_path / "session_000" / "experiment_state.json").write_text("{}")
    expected = {3: 20, 12: 27}
    assert stored_bytes(str(tmp_path)) == stored_bytes(f"file://{tmp_path}/") == expected
    assert checkpoint_usage(str(tmp_path)) == Usage(47, 2)


def test_no_storage_yet_is_no_usage(tmp_path: Path) -> None:
    assert checkpoint_usage(str(tmp_path / "none")) == Usage(0, 0)


def test_storage_that_cannot_be_listed_is_unknown_usage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("no folder")
    assert checkpoint_usage(str(tmp_path / "file")) is None
    assert "cannot be listed" in caplog.text


@pytest.mark.parametrize(
    ("usage", "text"),
    [
        (Usage(22_400_000, 1), "22.4 MB of 1 trial"),
        (Usage(3_456_000_000, 8), "3.5 GB of 8 trials"),
        (Usage(0, 0), "0.0 kB of 0 trials"),
    ],
)
def test_usage_in_words(usage: Usage, text: str) -> None:
    assert str(usage) == text


def test_sweeps_that_share_a_storage_have_folders_of_their_own(files: SweepFiles) -> None:
    assert checkpoint_root(files.config(), files.run, "ab12") == str(files.run / "ray")
    assert checkpoint_root(files.config(storage_path="s3://bucket/a?region=x"), files.run, "ab12") == (
        "s3://bucket/a/tiny-ab12?region=x"
    )
