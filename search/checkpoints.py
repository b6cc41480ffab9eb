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
"""Beside it, if ``checkpoint.json`` has ``tensors`` with their size in ``bytes``."""


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
    return f"trial_{number:05d}"


def next_session(root: str) -> str:
    """A session name that no earlier driver used: ``session_000``, ``session_001``, ..."""
    filesystem, base = FileSystem.from_uri(root)
    used = [int(name.rpartition("_")[2]) for name in _folders(filesystem, base, "session_")]
    return f"session_{max(used, default=-1) + 1:03d}"


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
    found = []
    for session in _folders(filesystem, base, "session_"):
        trial = f"{session}/{trial_dirname(number)}"
        for name in _folders(filesystem, f"{base}/{trial}", "checkpoint_"):
            epoch = _finished_epochs(filesystem, f"{base}/{trial}/{name}")
            if epoch is not None and epoch < below:
                found.append(FoundCheckpoint(epoch, session, join(root, trial, name)))
    return max(found, default=None)


def discard(root: str, number: int) -> None:
    """Delete the checkpoints of a trial that has ended: nothing goes on from them.

    Args:
        root:
            Path or URI of the sweep's checkpoints.
        number:
            The trial's number in the study.

    Raises:
        OSError: The storage refuses.
    """
    filesystem, base = FileSystem.from_uri(root)
    for session in _folders(filesystem, base, "session_"):
        trial = f"{base}/{session}/{trial_dirname(number)}"
        for name in _folders(filesystem, trial, "checkpoint_"):
            filesystem.delete_dir(f"{trial}/{name}")


def _folders(filesystem: FileSystem, base: str, prefix: str) -> list[str]:
    entries = filesystem.get_file_info(FileSelector(base, allow_not_found=True))
    return [e.base_name for e in entries if e.type == FileType.Directory and e.base_name.startswith(prefix)]


def _finished_epochs(filesystem: FileSystem, folder: str) -> int | None:
    """The epoch of a checkpoint; None where the folder is incomplete."""
    try:
        with filesystem.open_input_stream(f"{folder}/{META_FILE}") as stream:
            meta = json.loads(stream.read())
        size = meta["tensors"]["bytes"] if "tensors" in meta else None
        if size is not None and filesystem.get_file_info(f"{folder}/{TENSORS_FILE}").size != size:
            return None
        return int(meta["epoch"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
