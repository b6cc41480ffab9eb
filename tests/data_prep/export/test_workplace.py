from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.errors import InputError, WorkFailedError
from data_prep.export import workplace


def cut_off(out: Path, failure: BaseException) -> None:
    """Work until something happens."""
    with workplace(out) as place:
        (place.draft("plan") / "file").write_text("x")
        raise failure


def publish(out: Path) -> None:
    with workplace(out) as place:
        place.draft("plan")
        place.publish()


def test_draft_becomes_the_target_and_nothing_else_is_left(tmp_path: Path) -> None:
    with workplace(tmp_path / "new" / "set") as place:
        (place.draft("plan") / "file").write_text("x")
        assert not (tmp_path / "new" / "set").exists()
        place.publish()
    assert (tmp_path / "new" / "set" / "file").read_text() == "x"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["set"]


def test_empty_target_folder_is_replaced_and_a_filled_one_never(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    publish(tmp_path / "set")
    (tmp_path / "set" / "mine").write_text("x")
    with pytest.raises(WorkFailedError, match="not empty"):
        publish(tmp_path / "set")
    assert (tmp_path / "set" / "mine").read_text() == "x"


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_work_that_was_cut_off_stays_for_the_next_run(tmp_path: Path, failure: BaseException) -> None:
    expected = WorkFailedError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        cut_off(tmp_path / "set", failure)
    with workplace(tmp_path / "set") as place:
        assert (place.draft("plan") / "file").read_text() == "x"
        assert not (place.draft("other plan") / "file").exists()


def test_wrong_input_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wrong"):
        cut_off(tmp_path / "new" / "set", InputError("wrong"))
    assert list(tmp_path.iterdir()) == []


def test_second_run_beside_a_live_one_is_refused(tmp_path: Path) -> None:
    with workplace(tmp_path / "set") as place:
        (place.draft("plan") / "file").write_text("x")
        with pytest.raises(InputError, match="being prepared by another run"), workplace(tmp_path / "set"):
            pass
        assert (place.draft("plan") / "file").exists()


def test_killed_run_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from data_prep.export import workplace\n"
        "with workplace(Path(sys.argv[1])) as place: place.draft('plan'); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "set")], check=False)
    assert killed.returncode == -9
    with workplace(tmp_path / "set") as place:
        assert place.draft("plan").is_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"), workplace(tmp_path / "set"):
        pass


def test_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(InputError, match=r"set cannot be written \(Not a directory\)"),
        workplace(tmp_path / "file" / "set"),
    ):
        pass
