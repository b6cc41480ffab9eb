from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from trainable import bank_folder
from trainable.bank_folder import CacheFolder, disk_folder, hold, memory_folder

MEGABYTE = 10**6


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CacheFolder:
    """A folder of 3 banks of 1 MB, used 3, 2 and 1 hours ago, on a disk of 10 MB."""
    for hours in (1, 2, 3):
        path = tmp_path / f"{hours}.bank"
        path.write_bytes(bytes(MEGABYTE))
        os.utime(path, (time.time() - 3600 * hours,) * 2)

    def free(folder: CacheFolder) -> int:
        return 10 * MEGABYTE - sum(path.stat().st_size for path in folder.path.glob("*.bank"))

    monkeypatch.setattr(CacheFolder, "free", free)
    return CacheFolder(tmp_path)


def names(folder: CacheFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


@pytest.mark.parametrize(
    ("needed", "left"),
    [(2, ["1.bank", "2.bank", "3.bank"]), (3, ["1.bank", "2.bank"]), (4, ["1.bank"]), (5, [])],
)
def test_the_least_recently_used_go_until_all_take_half(folder: CacheFolder, needed: int, left: list[str]) -> None:
    folder.make_room(needed * MEGABYTE)

    assert names(folder) == left


def test_what_does_not_fit_into_half_evicts_nothing(folder: CacheFolder) -> None:
    with pytest.raises(OSError, match=r"5\.0 MB are needed and banks may take 5\.0 MB"):
        folder.make_room(5 * MEGABYTE + 1)

    assert names(folder) == ["1.bank", "2.bank", "3.bank"]


def test_a_bank_that_another_process_has_mapped_stays(folder: CacheFolder) -> None:
    program = (
        "import mmap, sys\nfrom trainable.bank_folder import hold\n"
        "file = open(sys.argv[1], 'rb')\nhold(file.fileno())\nkept = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\n"
        "file.close()\nprint('held', flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(folder.path / "3.bank")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        folder.make_room(4 * MEGABYTE)
        assert names(folder) == ["3.bank"]
        with pytest.raises(OSError, match="needed"):
            folder.make_room(5 * MEGABYTE)
        other.kill()

    folder.make_room(5 * MEGABYTE)  # the kernel took the killed one's lock back
    assert names(folder) == []


def test_a_bank_that_this_process_has_open_stays(folder: CacheFolder) -> None:
    with (folder.path / "3.bank").open("rb") as file:
        hold(file.fileno())
        folder.make_room(4 * MEGABYTE)

    assert names(folder) == ["3.bank"]


def test_a_writer_removes_drafts_and_what_is_long_unused_and_nothing_else(folder: CacheFolder) -> None:
    drafts = (".x.bank.7.draft", ".x.checks.json.7.draft")
    for name in (*drafts, "x.checks.json", "new.checks.json", "notes.txt", "photo.bank.jpg", "letter.draft"):
        (folder.path / name).write_bytes(b"x")
    for name in ("3.bank", "x.checks.json", "notes.txt"):
        os.utime(folder.path / name, (time.time() - 31 * 86400,) * 2)

    with folder.writing():
        pass

    left = ["1.bank", "2.bank", "hypsweep.lock", "letter.draft", "new.checks.json", "notes.txt", "photo.bank.jpg"]
    assert names(folder) == left


def test_the_place_follows_the_setting_then_xdg_then_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    for stated, expected in (("/var/cache", "/var/cache/hypsweep"), ("relative", "/home/somebody/.cache/hypsweep")):
        monkeypatch.setenv("XDG_CACHE_HOME", stated)
        assert disk_folder(None).path == Path(expected)
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert disk_folder(None).path == Path("/home/somebody/.cache/hypsweep")
    assert disk_folder("~/banks").path == Path("/home/somebody/banks")


def test_a_folder_that_somebody_else_may_write_to_is_not_taken_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_folder, "SHARED_MEMORY", tmp_path)
    folder = memory_folder()
    folder.path.mkdir(mode=0o700)
    folder.path.chmod(0o777)
    with pytest.raises(PermissionError, match="own folder"), folder.writing():
        pass

    folder.path.rmdir()
    folder.path.symlink_to(tmp_path)
    with pytest.raises(PermissionError, match="own folder"), folder.writing():
        pass


def test_room_in_memory_is_no_more_than_what_is_free(tmp_path: Path) -> None:
    memory = psutil.virtual_memory().total

    assert 0 < CacheFolder(tmp_path, memory=True).free() < memory
    assert CacheFolder(tmp_path).free() > 0
