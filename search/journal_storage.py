"""The journal file as a storage for many trials: several records in one write, and what has changed since.

Optuna's own format and classes; another program may read and write the same file meanwhile.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from search.journal import append_lines


class ChangedTrials:
    """The storage ids of trials that a record has named since the last :meth:`take`, whoever wrote it."""

    def __init__(self) -> None:
        self._ids: set[int] = set()

    def add(self, trial_id: int) -> None:
        """Note a change."""
        self._ids.add(trial_id)

    def take(self) -> list[int]:
        """Return what has changed, in the order of the ids, and begin anew."""
        taken, self._ids = sorted(self._ids), set()
        return taken


class _Backend(JournalFileBackend):
    """Optuna's journal file, which syncs the disk once for all records that belong together.

    It never writes behind half a line: that would make one line of both, which nobody can read. Half a line seen under
    the lock is nobody's any more, and no reader has ever counted it. Whole ones stay: they may have been read.
    """

    def __init__(self, file_path: str) -> None:
        super().__init__(file_path)
        self._held: list[dict[str, Any]] | None = None
        self.watchers: weakref.WeakSet[ChangedTrials] = weakref.WeakSet()

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        for log in super().read_logs(log_number_from):
            if "trial_id" in log:
                for watcher in self.watchers:
                    watcher.add(log["trial_id"])
            yield log

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        if self._held is None:
            self._write(logs)
        else:
            self._held.extend(logs)

    @contextmanager
    def together(self) -> Iterator[None]:
        if self._held is not None:  # within another one, which writes it all
            yield
            return
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held:
                self._write(held)

    def _write(self, logs: list[dict[str, Any]]) -> None:
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        self._lock.acquire()
        try:
            append_lines(Path(self._file_path), text.encode())
        finally:
            self._lock.release()


class SweepJournal(JournalStorage):
    """Optuna's ``JournalStorage`` on a file, for one driver thread.

    Args:
        path:
            The file. An absolute path: Optuna's lock is a symbolic link to it, and one that leads nowhere is never let
            go.
    """

    def __init__(self, path: Path) -> None:
        self._records = _Backend(str(path))
        super().__init__(self._records)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what is told inside as one piece at its end: one lock, one sync of the disk.

        Nothing of it can be read inside, so no trial may be created or popped there. A kill in mid-write leaves the
        first of the records, as a kill between single writes would.
        """
        with self._records.together():
            yield

    def watch(self) -> ChangedTrials:
        """Return a list of changed trials that fills itself as the storage reads its journal."""
        changed = ChangedTrials()
        self._records.watchers.add(changed)
        return changed
