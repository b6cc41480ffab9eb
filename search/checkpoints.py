"""Where the checkpoints of a sweep lie, and which one a trial goes on from.

Every driver (first run, each resume) writes under a folder of its own, so that a resumed trial never overwrites the
checkpoint that it goes on from, and Ray never meets the state of an earlier driver::

    <root>/session_000/trial_00003/checkpoint_000002/checkpoint.json

Ray numbers checkpoint folders anew in each session: which is the newest is what ``checkpoint.json`` says, and which are
whole is for :mod:`trainable.stored` to tell.
"""

from __future__ import annotations

from pyarrow.fs import FileSystem  # type: ignore[import-untyped]

from search.paths import join
from trainable import stored
from trainable.stored import FoundCheckpoint

KEPT_CHECKPOINTS = 2
"""So many of a trial at work are kept: the newest may be cut off by a kill."""
TRIAL_PREFIX = "trial_"


def trial_dirname(number: int) -> str:
    """Folder name of a trial: ``trial_00003``."""
    return f"{TRIAL_PREFIX}{number:05d}"


def begin_session(root: str) -> str:
    """Make a folder for a driver and return its name, which no other has: ``session_000``, ``session_001``, ...

    One driver at a time may call it.
    """
    filesystem, base = FileSystem.from_uri(root)
    name = stored.next_session(filesystem, base)
    filesystem.create_dir(f"{base}/{name}")
    return name


def newest_checkpoint(root: str, number: int, below: int) -> FoundCheckpoint | None:
    """The complete checkpoint of a trial with the most epochs, with its path or URI.

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
    found = stored.whole_checkpoints(*FileSystem.from_uri(root), trial_dirname(number))
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
    trial = trial_dirname(number)
    newest = max(stored.whole_checkpoints(filesystem, base, trial), default=None) if but_newest else None
    for _, folder in stored.checkpoint_folders(filesystem, base, trial):
        if newest is None or folder != newest.path:
            filesystem.delete_dir(f"{base}/{folder}")
