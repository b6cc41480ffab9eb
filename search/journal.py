"""The files that keep a sweep's study safe: the lock of its one driver, and the journal after a kill."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from optuna.storages.journal import JournalFileSymlinkLock

from data_prep.errors import InputError

JOURNAL = "study.journal"
LOCK = "driver.lock"

_LONGEST_WRITE_S = 2.0


@contextmanager
def driver_lock(run_dir: Path) -> Iterator[None]:
    """Be the only driver of a sweep's folder; the system frees the lock of a driver that was killed.

    Raises:
        InputError: Another driver holds it.
    """
    lock = FileLock(run_dir / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"{run_dir} is in use: another hypsweep runs this sweep; wait for it, or end it with Ctrl-C first."
        ) from error
    try:
        yield
    finally:
        lock.release()


def mend_journal(run_dir: Path) -> None:
    """Make the journal writable after a kill; only the holder of the driver's lock may call it.

    A kill in mid-write leaves Optuna's lock, which others wait 30 s for, and half a line, which would swallow the
    next record.
    """
    path = (run_dir / JOURNAL).resolve()
    if not path.exists():
        return
    _free_orphaned_lock(path.with_name(path.name + ".lock"))
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()
    try:
        with path.open("r+b") as file:
            content = file.read()
            if not content.endswith(b"\n"):
                file.truncate(content.rfind(b"\n") + 1)
    finally:
        lock.release()


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
