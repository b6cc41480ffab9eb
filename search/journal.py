"""The journal of a sweep's study, made writable again after a kill."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from optuna.storages.journal import JournalFileSymlinkLock

from data_prep.errors import InputError

JOURNAL = "study.journal"

_LONGEST_WRITE_S = 2.0
_BLOCK = 2**16


def mend_journal(run_dir: Path) -> None:
    """Make the journal writable after a kill; only a driver that is alone may call it.

    A kill in mid-write leaves Optuna's lock, which others wait 30 s for, and half a line, which is cut off. Earlier
    versions wrote the next record right behind half a line: of these the half is blanked, in place, because readers
    remember how far they have read.

    Raises:
        InputError: A line is no record, and what it was cannot be told.
    """
    path = (run_dir / JOURNAL).resolve()
    if not path.exists():
        return
    _free_orphaned_lock(path.with_name(path.name + ".lock"))
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()
    try:
        with path.open("r+b", buffering=0) as file:
            cut_half_line(file)
            for start, length in list(_half_records(path)):
                file.seek(start)
                file.write(b" " * length)
    finally:
        lock.release()


def append_lines(path: Path, text: bytes) -> None:
    """Append whole lines to a journal whose lock is held, never behind half a line.

    That would make one line of both, which nobody can read. Half a line that is seen under the lock is nobody's any
    more, and no reader has counted it. Of what cannot be written to its end the whole lines stay: they may have been
    read already.

    Raises:
        OSError: It cannot be written to its end.
    """
    with path.open("a+b", buffering=0) as file:  # no buffer, which would be written after all when the file is closed
        cut_half_line(file)
        try:
            left = memoryview(text)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except BaseException:
            cut_half_line(file)
            raise


def cut_half_line(file: FileIO) -> None:
    """Cut off what stands behind the last whole line of a journal, whose lock is held."""
    end = kept = file.seek(0, os.SEEK_END)
    while kept:
        start = max(0, kept - (_BLOCK if kept < end else 1))  # almost always the last byte says that all is well
        file.seek(start)
        newline = file.read(kept - start).rfind(b"\n")
        if newline >= 0:
            kept = start + newline + 1
            break
        kept = start
    if kept < end:
        file.truncate(kept)


def damaged_line(path: Path) -> int | None:
    """The number of the first line of a journal, from 1 up, that is no record; half a line at its end is none yet."""
    with path.open("rb") as file:
        return next((n for n, line in enumerate(file, 1) if line.endswith(b"\n") and not _is_record(line)), None)


def _half_records(path: Path) -> Iterator[tuple[int, int]]:
    """Start and length of each half record that stands right before a whole one."""
    start = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not _is_record(line):
                wholes = [i for i in range(1, len(line)) if line[i : i + 1] == b"{" and _is_record(line[i:])]
                if len(wholes) != 1:
                    raise InputError(
                        f"{path}: line {number} is damaged and no record of a study: put back a copy of the file, or "
                        "delete that line if you can do without what it said."
                    )
                yield start, wholes[0]
            start += len(line)


def _is_record(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except ValueError:  # no JSON, or no UTF-8
        return False
    return isinstance(record, dict) and "op_code" in record


def _free_orphaned_lock(lock: Path) -> None:
    """Remove a lock that outlasts any write of a record: who held it is gone."""
    held = _stamp(lock)
    deadline = time.monotonic() + _LONGEST_WRITE_S
    while held is not None and time.monotonic() < deadline:
        time.sleep(0.05)
        if _stamp(lock) != held:  # let go, or taken by another one: it is in use
            return
    if held is not None:
        lock.unlink(missing_ok=True)


def _stamp(lock: Path) -> tuple[int, int] | None:
    try:
        status = lock.lstat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
