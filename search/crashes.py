"""Why a trial crashed: Ray tells it to callbacks and schedulers, but not to the searcher that has to write it down.

Ray starts a crashed trial again, so these are the failures that came back each time: a full disk, a process that died,
a fault of the program.
"""

# ruff: noqa: ARG002  Ray passes all of these to its hooks, by keyword
from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ray.tune import Callback

from data_prep.errors import DiskFullError

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

CRASH, DISK = "crash", "disk"
"""Kinds of failures beside those of :mod:`trainable.failures`, which are results of a training and no crashes."""

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_OWN_ERROR = re.compile(r"^data_prep\.errors\.(\w+): ")
_DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded|\[errno (28|122)\]", re.IGNORECASE)
_MAX_LENGTH = 400


class Crash(NamedTuple):
    """Why Ray gave a trial up.

    Attributes:
        reason:
            One line.
        kind:
            :data:`DISK` or :data:`CRASH`.
    """

    reason: str
    kind: str = CRASH


class CrashReasons(Callback):
    """Keeps Ray's list of trials at hand, to look up the error of one of them."""

    def __init__(self) -> None:
        self._trials: Sequence[Trial] = ()

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: object) -> None:
        """Remember the trials."""
        self._trials = trials

    def crash(self, trial_id: str) -> Crash:
        """The error of a trial."""
        for trial in self._trials:
            if trial.trial_id == trial_id and trial.error_file and Path(trial.error_file).is_file():
                text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
                return explain(last_error(text), str(trial.storage.trial_fs_path) if trial.storage else "the storage")
        return Crash("crashed, and Ray kept no error")

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles its callbacks; the trials are none of its business

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._trials = ()


def last_error(text: str) -> str:
    """One line out of Ray's error file, which holds all failures of a trial.

    Args:
        text:
            ``Failure # 1 (occurred at ...)``, then a traceback whose last line is the error, or, for a process that
            died, a sentence first and details after it; and so on for the next failure.
    """
    newest = re.split(r"^Failure # .*$", _ESCAPES.sub("", text), flags=re.MULTILINE)[-1]
    lines = [line.strip() for line in newest.splitlines() if line.strip()]
    if not lines:
        return "crashed without a message"
    return lines[-1] if any(line.startswith("Traceback") or "ray::" in line for line in lines[:2]) else lines[0]


def explain(error: str, storage: str) -> Crash:
    """Put Ray's last word on a trial into a sentence for the user.

    Args:
        error:
            What :func:`last_error` found.
        storage:
            Where the trial's checkpoints go. An error of ours names its folder and the remedy itself; what Ray meets
            when it copies a checkpoint there names neither.
    """
    own = _OWN_ERROR.match(error)
    full = _DISK_FULL.search(error) is not None or (own is not None and own.group(1) == DiskFullError.__name__)
    if own:
        error = error[own.end() :]
    elif full:
        error = f"{storage}: a checkpoint cannot be stored there ({error}): free some disk, or keep fewer checkpoints"
    return Crash(f"crashed: {error}"[:_MAX_LENGTH], DISK if full else CRASH)
