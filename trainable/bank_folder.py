"""A folder of files that all trainings of a node share: one writer at a time, and a bound on what it holds.

Whoever writes holds the folder's lock, which the kernel takes back from a killed process. So a draft that is found by
the next holder was left by a dead one. A file that is mapped is held by a shared lock of its own, and is not evicted.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from data_prep.durable import DRAFT

logger = logging.getLogger(__name__)

BANK, CHECKS = ".bank", ".checks.json"
"""What the names of our own files end with; nothing but these and drafts of them is ever touched."""
SHARED_MEMORY = Path("/dev/shm")
UNUSED_DAYS = 30
"""A file that nobody used for so long goes when the next one is written."""
_LOCK = "hypsweep.lock"
_PATIENCE = 10.0  # seconds until a waiting process says so
_POLL = 0.05  # seconds


@dataclass(frozen=True)
class CacheFolder:
    """A folder of shared files.

    Attributes:
        path:
            The folder; made when the first file is written.
        memory:
            Whether what lies in it takes memory instead of disk.
    """

    path: Path
    memory: bool = False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer; drafts of dead writers and files that are long unused are removed first.

        Raises:
            OSError: The folder cannot be made or written to, or belongs to somebody else.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.memory:
            _require_own(self.path)
        lock = FileLock(self.path / _LOCK)
        _acquire(lock)
        try:
            self._tidy()
            yield
        finally:
            lock.release()

    def make_room(self, needed: int) -> None:
        """Evict banks, the least recently used first, until a new one fits.

        All banks together may take half of what they take and is free now, so a first one half of the free space.
        To be called by the writer.

        Args:
            needed:
                Size of the new bank in bytes.

        Raises:
            OSError: It does not fit, even without all banks that no process has mapped; then none is evicted.
        """
        banks = {path: path.stat() for path in self._files(BANK)}
        taken = sum(found.st_size for found in banks.values())
        limit = (self.free() + taken) // 2
        idle = sorted((path for path in banks if not _in_use(path)), key=lambda path: banks[path].st_mtime_ns)
        if taken - sum(banks[path].st_size for path in idle) + needed > limit:
            message = f"{needed / 1e6:.1f} MB are needed and banks may take {limit / 1e6:.1f} MB in all"
            raise OSError(ENOSPC, message, str(self.path))
        for path in idle:
            if taken + needed <= limit:
                return
            path.unlink()
            taken -= banks[path].st_size

    def free(self) -> int:
        """Free bytes for files of this folder.

        Raises:
            OSError: The folder is gone.
        """
        found = os.statvfs(self.path)
        free = found.f_bavail * found.f_frsize
        return min(free, int(psutil.virtual_memory().available)) if self.memory else free

    def _tidy(self) -> None:
        oldest = time.time() - UNUSED_DAYS * 86400
        for ending in (BANK, CHECKS):
            for draft in self.path.glob(f".*{ending}.*{DRAFT}"):
                draft.unlink(missing_ok=True)
        for path in self._files(BANK, CHECKS):
            if path.stat().st_mtime < oldest and not _in_use(path):
                path.unlink()

    def _files(self, *endings: str) -> list[Path]:
        return [path for path in self.path.iterdir() if path.name.endswith(endings) and path.is_file()]


def disk_folder(cache_dir: str | None) -> CacheFolder:
    """The folder of ``cache_dir``; None is ``$XDG_CACHE_HOME/hypsweep``, which is ``~/.cache/hypsweep`` by default.

    Source: XDG Base Directory Specification 0.8 (a relative ``$XDG_CACHE_HOME`` is to be ignored).

    Raises:
        OSError: There is no home directory to put it into.
    """
    try:
        if cache_dir is not None:
            return CacheFolder(Path(cache_dir).expanduser().absolute())
        stated = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return CacheFolder((stated if stated.is_absolute() else Path("~/.cache").expanduser()) / "hypsweep")
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from error


def memory_folder() -> CacheFolder:
    """The user's folder in the shared memory of this node."""
    return CacheFolder(SHARED_MEMORY / f"hypsweep-{os.getuid()}", memory=True)


def mark_used(path: Path) -> None:
    """Note that a file is of use, for the order of eviction; without effect where it cannot be written to."""
    with suppress(OSError):
        os.utime(path)


def hold(descriptor: int) -> None:
    """Keep an open file from being evicted until the descriptor, its copies and mappings are all closed."""
    with suppress(OSError):  # a file system without locks; there a mapped file may be evicted
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _in_use(path: Path) -> bool:
    try:
        with path.open("r+b") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def _acquire(lock: FileLock) -> None:
    try:
        lock.acquire(timeout=_PATIENCE, poll_interval=_POLL)
    except Timeout:
        logger.warning("waiting for another process that prepares images (it holds %s)", lock.lock_file)
        lock.acquire(poll_interval=_POLL)


def _require_own(path: Path) -> None:
    """Raise for a folder that another user has put where everybody may write."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{path} is not this user's own folder")
