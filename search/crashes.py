"""Why a trial crashed: Ray tells it to callbacks and schedulers, but not to the searcher that has to write it down."""

# ruff: noqa: ARG002  Ray passes all of these to its hooks, by keyword
from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.tune import Callback

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_MAX_LENGTH = 300


class CrashReasons(Callback):
    """Keeps Ray's list of trials at hand, to look up the error of one of them."""

    def __init__(self) -> None:
        self._trials: Sequence[Trial] = ()

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: object) -> None:
        """Remember the trials."""
        self._trials = trials

    def reason(self, trial_id: str) -> str:
        """The error of a trial in one line."""
        for trial in self._trials:
            if trial.trial_id == trial_id and trial.error_file and Path(trial.error_file).is_file():
                return last_error(Path(trial.error_file).read_text(encoding="utf-8", errors="replace"))
        return "crashed, and Ray kept no error"

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
    line = lines[-1] if any(line.startswith("Traceback") or "ray::" in line for line in lines[:2]) else lines[0]
    return f"crashed: {line}"[:_MAX_LENGTH]
