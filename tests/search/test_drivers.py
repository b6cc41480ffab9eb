from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.errors import InputError, WorkFailedError
from search import drivers
from search.drivers import DRIVERS, driver, live_drivers

HOLD = """
import sys
from pathlib import Path
from search.drivers import driver
with driver(Path(sys.argv[1]), join="join" in sys.argv) as me:
    print(me.number, flush=True)
    sys.stdin.read()
"""


def hold(run: Path, *arguments: str) -> tuple[subprocess.Popen[str], int]:
    """Another process that is a driver until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_a_driver_is_alive_until_it_ends_and_its_number_is_never_used_again(tmp_path: Path) -> None:
    with driver(tmp_path) as first:
        assert live_drivers(tmp_path) == {first.number} == {0}
        assert first.others() == frozenset()
    assert live_drivers(tmp_path) == frozenset()
    with driver(tmp_path) as second:
        assert second.number == 1


def test_only_one_that_joins_draws_from_a_stream_of_its_own(tmp_path: Path) -> None:
    with driver(tmp_path) as first, driver(tmp_path, join=True) as second:
        assert (first.stream, second.stream) == (0, 1)
    with driver(tmp_path, join=True) as later:
        assert (later.number, later.stream) == (2, 0)


def test_a_second_driver_is_refused_unless_it_joins(tmp_path: Path) -> None:
    with driver(tmp_path):
        with pytest.raises(InputError, match=r"is in use: .* --join"), driver(tmp_path):
            pass
        with driver(tmp_path, join=True) as second:
            assert second.others() == {0}
        with driver(tmp_path, join=True) as third:
            assert third.number == 2


def test_a_killed_driver_is_gone_at_once_and_a_live_one_is_seen_from_another_process(tmp_path: Path) -> None:
    process, number = hold(tmp_path)
    try:
        assert live_drivers(tmp_path) == {number}
        with driver(tmp_path, join=True) as me:
            assert me.others() == {number}
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            assert me.others() == frozenset()
    finally:
        process.kill()


def test_a_child_of_a_killed_driver_does_not_keep_it_alive(tmp_path: Path) -> None:
    # The child runs before the driver says so: one that is still being made holds the lock for a moment.
    code = HOLD.replace("    print", "    import subprocess; subprocess.Popen(['sleep', '30'])\n    print")
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert live_drivers(tmp_path) == frozenset()


def test_many_that_come_at_once_get_numbers_of_their_own(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path), "join"]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    numbers = sorted(int(process.stdout.readline()) for process in started if process.stdout)
    assert numbers == list(range(6))
    assert live_drivers(tmp_path) == set(numbers)
    for process in started:
        process.communicate("")


def test_alone_keeps_the_others_out(tmp_path: Path) -> None:
    """Two processes count a number in a file up; without the lock some steps would be lost."""
    code = """
import sys
from pathlib import Path
from search.drivers import driver
run = Path(sys.argv[1])
with driver(run, join=True) as me:
    for _ in range(200):
        with me.alone():
            value = int((run / "count").read_text())
            (run / "count").write_text(str(value + 1))
"""
    (tmp_path / "count").write_text("0")
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "600"


def test_a_driver_that_does_not_move_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "_PATIENCE_S", 0.1)
    with driver(tmp_path) as first, driver(tmp_path, join=True) as second:
        with second.alone():
            pass
        with (
            first.alone(),
            pytest.raises(WorkFailedError, match=rf"driver 0 \(process {os.getpid()} on .*hypsweep resume {tmp_path}"),
            second.alone(),
        ):
            pass
        with second.alone():
            pass


def test_other_files_in_the_folder_are_no_drivers(tmp_path: Path) -> None:
    (tmp_path / DRIVERS).mkdir()
    (tmp_path / DRIVERS / "note.lock").touch()
    assert live_drivers(tmp_path) == frozenset()


def test_who_asks_is_not_taken_for_the_driver_nor_in_the_way_of_one(tmp_path: Path) -> None:
    with driver(tmp_path):
        pass
    with (tmp_path / DRIVERS / "000.lock").open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as another process does that asks at this moment
        assert live_drivers(tmp_path) == frozenset()
        with driver(tmp_path) as second:
            assert live_drivers(tmp_path) == {second.number} == {1}
