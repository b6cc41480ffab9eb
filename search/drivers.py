"""Who is at work in a sweep's folder: each driver holds a lock file there, which the system frees at its death.

::

    <run>/drivers/000.lock      the first driver; held while its process lives, whatever ends it
    <run>/drivers/001.lock      the next one, whether it came after the first or works beside it

A trial names the driver that holds it by that number (:data:`search.samplers.keys.DRIVER_KEY`): a RUNNING trial of a
driver that is gone may be gone on with, one of a driver that is alive is left alone. No clocks are compared and nothing
expires. The locks are ``flock``; on a network file system they need its lock service.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from data_prep.errors import InputError, WorkFailedError

DRIVERS = "drivers"
"""Folder of the lock files in a sweep's folder."""
_REGISTRY = "registry.lock"
_STUDY = "study.lock"
_HOLDER = "study.holder"
"""Who took the study's lock last; beside the lock file, which taking the lock empties."""
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Driver:
    """One driver of a sweep.

    Attributes:
        run_dir:
            The sweep's folder.
        number:
            Its number among all drivers that the sweep ever had.
        joined:
            Whether others were alive when it came.
    """

    run_dir: Path
    number: int
    joined: bool = False

    @property
    def stream(self) -> int:
        """What enters the seeds of its draws: 0 while it is alone, so that a resumed sweep draws what it would have."""
        return self.number if self.joined else 0

    def others(self) -> frozenset[int]:
        """Numbers of the other drivers that are alive."""
        return live_drivers(self.run_dir) - {self.number}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other drivers from drawing or taking over trials for a moment.

        Raises:
            WorkFailedError: Another driver holds the lock for a minute.
        """
        path = self.run_dir / DRIVERS / _STUDY
        holder = path.with_name(_HOLDER)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=_PATIENCE_S)
        except Timeout as error:
            raise WorkFailedError(
                f"{path}: {_holder(holder)} has held it for {_PATIENCE_S:g} s and does not move: end that one, then go "
                f"on with `hypsweep resume {self.run_dir}`."
            ) from error
        try:
            with contextlib.suppress(OSError):  # a full disk: then it stays unknown who holds the lock
                holder.write_text(f"driver {self.number} (process {os.getpid()} on {socket.gethostname()})")
            yield
        finally:
            lock.release()


@contextmanager
def driver(run_dir: Path, *, join: bool = False) -> Iterator[Driver]:
    """Be a driver of a sweep's folder.

    Args:
        run_dir:
            The sweep's folder.
        join:
            Whether to work beside drivers that are alive.

    Raises:
        InputError: A driver is alive and ``join`` is false.
    """
    folder = run_dir / DRIVERS
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / _REGISTRY):
        others = live_drivers(run_dir)
        if others and not join:
            raise InputError(
                f"{run_dir} is in use: another hypsweep works in it; wait for it or end it with Ctrl-C first (or let a "
                "second driver work on the same sweep with `hypsweep resume --join`)."
            )
        number = max(_numbers(folder), default=-1) + 1
        held = FileLock(_lock_path(folder, number))
        held.acquire(timeout=_PATIENCE_S)  # who asks whether it is held has it for a moment
    try:
        yield Driver(run_dir, number, joined=bool(others))
    finally:
        held.release()


def live_drivers(run_dir: Path) -> frozenset[int]:
    """Numbers of the drivers whose process is alive."""
    folder = run_dir / DRIVERS
    return frozenset(number for number in _numbers(folder) if _is_held(_lock_path(folder, number)))


def _holder(path: Path) -> str:
    try:
        return path.read_text() or "another driver"
    except OSError:
        return "another driver"


def _is_held(path: Path) -> bool:
    """Whether its driver is alive, asked with a shared lock: two who ask at once do not take each other for it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)  # and with it the lock
    return False


def _lock_path(folder: Path, number: int) -> Path:
    return folder / f"{number:03d}.lock"


def _numbers(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.lock") if path.stem.isdigit()]
