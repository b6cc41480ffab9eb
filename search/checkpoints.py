"""Where the checkpoints of a sweep lie, and which one a trial goes on from.

Every driver (first run, each resume) writes under a folder of its own, so that a resumed trial never overwrites the
checkpoint that it goes on from, and Ray never meets the state of an earlier driver::

    <root>/session_000/trial_00003/checkpoint_000002/checkpoint.json

Ray numbers checkpoint folders anew in each session: which is the newest is what ``checkpoint.json`` says. It is
written last, but copied to the storage in any order: a folder is passed over, as cut off by a kill, where it is not
readable or a file beside it is shorter than it says.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from pyarrow.fs import FileSelector, FileSystem, FileType  # type: ignore[import-untyped]

from search.paths import join

META_FILE = "checkpoint.json"
"""Written last into a checkpoint by the trainable; its ``epoch`` counts finished epochs."""
TENSORS_FILE = "tensors.pt"
"""Beside it, if ``checkpoint.json`` has ``tensors`` with their size in ``bytes``; another one if they name a
``file``."""
SESSION_PREFIX, TRIAL_PREFIX, CHECKPOINT_PREFIX = "session_", "trial_", "checkpoint_"


class FoundCheckpoint(NamedTuple):
    """A complete checkpoint; the greatest is the newest.

    Attributes:
        epoch:
            Finished epochs in it.
        session:
            Name of the driver's folder; among equals the later driver's wins.
        path:
            Path or URI of the folder.
    """

    epoch: int
    session: str
    path: str


def trial_dirname(number: int) -> str:
    """Folder name of a trial: ``trial_00003``."""
    return f"{TRIAL_PREFIX}{number:05d}"


def next_session(root: str) -> str:
    """A session name that no earlier driver used: ``session_000``, ``session_001``, ..."""
    filesystem, base = FileSystem.from_uri(root)
    used = [int(name.rpartition("_")[2]) for name in _folders(filesystem, base, SESSION_PREFIX)]
    return f"{SESSION_PREFIX}{max(used, default=-1) + 1:03d}"


def newest_checkpoint(root: str, number: int, below: int) -> FoundCheckpoint | None:
    """The complete checkpoint of a trial with the most epochs.

    Args:
        root:
            Path or URI of the sweep's checkpoints.
        number:
            The trial's number in the study.
        below:
            Only checkpoints with fewer epochs count: one of the last epoch holds nothing left to train, while the
            value of that epoch may not have reached the study.

    Returns:
        The newest, or None where there is none.
    """
    filesystem, base = FileSystem.from_uri(root)
    found = _whole(filesystem, base, number)
    best = max((each for each in found if each.epoch < below), default=None)
    return best._replace(path=join(root, best.path)) if best else None


def discard(root: str, number: int, *, but_newest: bool = False) -> None:
    """Delete the checkpoints of a trial: nothing goes on from them.

    Args:
        root:
            Path or URI of the sweep's checkpoints.
        number:
            The trial's number in the study.
        but_newest:
            Keep the complete one with the most epochs.

    Raises:
        OSError: The storage refuses.
    """
    filesystem, base = FileSystem.from_uri(root)
    newest = max(_whole(filesystem, base, number), default=None) if but_newest else None
    for _, folder in _of_trial(filesystem, base, number):
        if newest is None or folder != newest.path:
            filesystem.delete_dir(f"{base}/{folder}")


def _of_trial(filesystem: FileSystem, base: str, number: int) -> list[tuple[str, str]]:
    """Session and path below ``base`` of each checkpoint folder of a trial, whole or not."""
    return [
        (session, f"{session}/{trial_dirname(number)}/{name}")
        for session in _folders(filesystem, base, SESSION_PREFIX)
        for name in _folders(filesystem, f"{base}/{session}/{trial_dirname(number)}", CHECKPOINT_PREFIX)
    ]


def _whole(filesystem: FileSystem, base: str, number: int) -> list[FoundCheckpoint]:
    """The complete checkpoints of a trial, with paths below ``base``."""
    found = []
    for session, folder in _of_trial(filesystem, base, number):
        epoch = _finished_epochs(filesystem, f"{base}/{folder}")
        if epoch is not None:
            found.append(FoundCheckpoint(epoch, session, folder))
    return found


def _folders(filesystem: FileSystem, base: str, prefix: str) -> list[str]:
    entries = filesystem.get_file_info(FileSelector(base, allow_not_found=True))
    return [e.base_name for e in entries if e.type == FileType.Directory and e.base_name.startswith(prefix)]


def _finished_epochs(filesystem: FileSystem, folder: str) -> int | None:
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
