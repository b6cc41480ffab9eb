"""What a sweep has spent: epochs and GPU time from its trials, wall-clock time from what its drivers noted."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial

from search.keys import GPU_SECONDS, LAST
from search.known.marks import is_result

if TYPE_CHECKING:
    import optuna

DRIVER = "driver:"
"""User attributes of the study that begin so hold the seconds of one driver each: no driver overwrites another's."""
_NOTE_EVERY_S = 30.0


@dataclass(frozen=True)
class Spent:
    """What was spent.

    Attributes:
        epochs:
            Epochs trained, repeated ones included.
        train_seconds:
            Time of these epochs, summed over trials.
        gpu_seconds:
            The same, each times the GPUs of its trial.
        wall_seconds:
            Time that drivers ran.
    """

    epochs: int = 0
    train_seconds: float = 0.0
    gpu_seconds: float = 0.0
    wall_seconds: float = 0.0

    @property
    def epoch_seconds(self) -> float:
        """Mean time of an epoch; 0 before the first."""
        return self.train_seconds / self.epochs if self.epochs else 0.0

    @property
    def epoch_gpu_seconds(self) -> float:
        """Mean GPU time of an epoch; 0 before the first."""
        return self.gpu_seconds / self.epochs if self.epochs else 0.0


class TrainingSums:
    """Epochs and times of all trials, an index of the study's history (:class:`search.samplers.history.Index`).

    It is kept up to date trial by trial, whichever driver trains it: a result's cost does not grow with the study.

    Args:
        trials:
            The trials so far.
    """

    def __init__(self, trials: Iterable[FrozenTrial] = ()) -> None:
        self._known: dict[int, tuple[int, float, float]] = {}
        self.epochs, self.seconds, self.gpu_seconds = 0, 0.0, 0.0
        for trial in trials:
            self.replace(None, trial)

    def replace(self, old: FrozenTrial | None, new: FrozenTrial) -> None:  # noqa: ARG002  the history's signature
        """Count what a trial has run by now; a result that was imported was paid for elsewhere."""
        if is_result(new):
            return
        last = new.user_attrs.get(LAST, {})
        now = (last.get("epochs_run", last.get("epoch", 0)), last.get("seconds", 0.0), last.get(GPU_SECONDS, 0.0))
        before = self._known.get(new.number, (0, 0.0, 0.0))
        self._known[new.number] = now
        self.epochs += now[0] - before[0]
        self.seconds += now[1] - before[1]
        self.gpu_seconds += now[2] - before[2]


class WallClock:
    """How long drivers have run, this one included.

    What a driver used stands in the study, written now and then: a kill forgets at most the last half minute. What the
    others used is read again at that moment, for some may be at work beside it.

    Args:
        study:
            The study.
        now:
            The clock.
    """

    def __init__(self, study: optuna.Study, now: Callable[[], float] = time.monotonic) -> None:
        self._study, self._now = study, now
        self._key = DRIVER + secrets.token_hex(4)
        self._before = noted_seconds(study)
        self._started: float | None = None
        self._noted = 0.0

    def start(self) -> None:
        """Begin to count."""
        self._started = self._now()

    @property
    def own(self) -> float:
        """Seconds of this driver."""
        return 0.0 if self._started is None else self._now() - self._started

    @property
    def seconds(self) -> float:
        """Seconds of all drivers."""
        return self._before + self.own

    def note(self, *, force: bool = False) -> None:
        """Write down what this driver used, unless that was done a moment ago."""
        used = self.own
        if used and (force or used - self._noted >= _NOTE_EVERY_S):
            self._noted = used
            self._study.set_user_attr(self._key, used)
            self._before = noted_seconds(self._study, apart_from=self._key)


def noted_seconds(study: optuna.Study, apart_from: str | None = None) -> float:
    """Seconds that drivers have noted in a study, but for one key."""
    noted = study.user_attrs.items()
    return float(sum(value for key, value in noted if key.startswith(DRIVER) and key != apart_from))
