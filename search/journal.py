"""The journal of a sweep's study, made writable again after a kill."""

from __future__ import annotations

import time
from pathlib import Path

from optuna.storages.journal import JournalFileSymlinkLock

JOURNAL = "study.journal"

_LONGEST_WRITE_S = 2.0


def mend_journal(run_dir: Path) -> None:
    """Make the journal writable after a kill; only a driver that is alone may call it.

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
