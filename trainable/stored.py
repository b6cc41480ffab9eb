"""Checkpoints on storage that Ray copies to: which are whole, and which is the newest of several drivers.

Every driver (first run, each one after it) writes below a folder of its own, ``session_000``, ``session_001``, ..., so
that nothing overwrites what it goes on from. ``checkpoint.json`` is written last, but copied to the storage in any
order: a folder is passed over, as cut off by a kill, where that file is not readable or the tensors are shorter than it
says.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from pyarrow.fs import FileSelector, FileSystem, FileType  # type: ignore[import-untyped]

META_FILE = "checkpoint.json"
"""Written last into a checkpoint by :mod:`trainable.checkpoint`; its ``epoch`` counts finished epochs."""
TENSORS_FILE = "tensors.pt"
"""Beside it, if ``checkpoint.json`` has ``tensors`` with their size in ``bytes``; another one if they name a
``file``."""
SESSION_PREFIX, CHECKPOINT_PREFIX = "session_", "checkpoint_"


class FoundCheckpoint(NamedTuple):
    """A whole checkpoint; the greatest is the newest.

    Attributes:
        epoch:
            Finished epochs in it.
        session:
            Name of the driver's folder; among equals the later driver's wins.
        path:
            Its folder, below the folder that was searched.
    """

    epoch: int
    session: str
    path: str


def next_session(filesystem: FileSystem, base: str) -> str:
    """A session name that no earlier driver used: ``session_000``, ``session_001``, ..."""
    used = [int(name.rpartition("_")[2]) for name in folders(filesystem, base, SESSION_PREFIX)]
    return f"{SESSION_PREFIX}{max(used, default=-1) + 1:03d}"


def checkpoint_folders(filesystem: FileSystem, base: str, *inner: str) -> list[tuple[str, str]]:
    """Session and path below ``base`` of each checkpoint folder, whole or not.

    Args:
        filesystem:
            The storage.
        base:
            Folder of the sessions.
        inner:
            Folders between a session and its checkpoints. Ray adds ``_`` and a few letters to a name that is there
            already, as where a trial is begun again in one session: these count, too.
    """
    found = []
    for session in folders(filesystem, base, SESSION_PREFIX):
        places = [session]
        for name in inner:
            places = [f"{place}/{each}" for place in places for each in _called(filesystem, f"{base}/{place}", name)]
        found += [
            (session, f"{place}/{name}")
            for place in places
            for name in folders(filesystem, f"{base}/{place}", CHECKPOINT_PREFIX)
        ]
    return found


def whole_checkpoints(filesystem: FileSystem, base: str, *inner: str) -> list[FoundCheckpoint]:
    """The whole ones of :func:`checkpoint_folders`."""
    found = []
    for session, folder in checkpoint_folders(filesystem, base, *inner):
        epoch = finished_epochs(filesystem, f"{base}/{folder}")
        if epoch is not None:
            found.append(FoundCheckpoint(epoch, session, folder))
    return found


def _called(filesystem: FileSystem, base: str, name: str) -> list[str]:
    return [each for each in folders(filesystem, base, name) if each == name or each.startswith(f"{name}_")]


def folders(filesystem: FileSystem, base: str, prefix: str) -> list[str]:
    """Names of the folders in ``base`` that begin with ``prefix``; none where there is no ``base``."""
    entries = filesystem.get_file_info(FileSelector(base, allow_not_found=True))
    return [e.base_name for e in entries if e.type == FileType.Directory and e.base_name.startswith(prefix)]


def finished_epochs(filesystem: FileSystem, folder: str) -> int | None:
    """The epoch of a checkpoint; None where the folder is incomplete."""
    try:
        with filesystem.open_input_stream(f"{folder}/{META_FILE}") as stream:
            meta = json.loads(stream.read())
        tensors = meta.get("tensors")
        if tensors is not None:
            name = tensors.get("file", TENSORS_FILE)
            if "/" in name or filesystem.get_file_info(f"{folder}/{name}").size != tensors["bytes"]:
                return None
        return int(meta["epoch"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
