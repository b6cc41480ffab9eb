"""Files that are there whole or not at all, also after a kill or a power cut, written as a stream."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from data_prep.errors import DiskFullError, WorkFailedError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DRAFT = ".draft"
"""What the name of a file ends with while it is written; its process may be dead."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write and read that takes the place of ``path`` when the block ends; an error leaves ``path`` alone.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}{DRAFT}")
    try:
        with draft.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:  # Ctrl-C, too
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put names of files on the disk: a rename may otherwise be lost in a power cut after its file was kept."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):  # some file systems cannot sync folders
            raise
    finally:
        os.close(descriptor)


def remove_drafts(folder: Path, prefix: str = "") -> None:
    """Delete what a kill in the middle of :func:`replacing` left of files whose names start with ``prefix``."""
    for draft in folder.glob(f".{prefix}*{DRAFT}"):
        draft.unlink(missing_ok=True)


def write_error(what: str, error: OSError) -> WorkFailedError:
    """The error to raise for a failed write; ``what`` names the folder and what could not be written there."""
    if error.errno in _FULL:
        return DiskFullError(f"{what}: the disk is full or a quota is reached; free some room and go on.")
    return WorkFailedError(f"{what}: {error.strerror or error}; make the folder writable or choose another.")
