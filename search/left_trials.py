"""LeftTrials: what earlier drivers left RUNNING, for a resume to go on with."""

from __future__ import annotations

from collections import deque
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from search.goals.record import is_rejected, values_by_epoch
from search.goals.screen import CONSTRAINT
from search.samplers.keys import PAUSED_KEY, is_paused
from search.schedulers.rungs import Ladder
from search.study import SweepStudy


class LeftTrials:
    """The trials that earlier drivers left, taken over from them, each handed out once.

    Args:
        study:
            The study.
        epochs:
            Epochs of a full training.
        rungs:
            Where trials wait; None where none ever does.

    Attributes:
        waiting:
            Those that wait at a rung.
        running:
            Those that were at work.
        begun:
            Numbers of those that were at work when this began.
    """

    def __init__(self, study: SweepStudy, epochs: int, rungs: Ladder[Any, Any] | None) -> None:
        self._study = study
        self._epochs = epochs
        waiting = frozenset() if rungs is None else rungs.waiting
        left = study.take_over()
        self.waiting = deque(trial for trial in left if trial.number in waiting)
        self.running = deque(trial for trial in left if trial.number not in waiting)
        self.begun = frozenset(trial.number for trial in self.running)
        with study.together():
            for trial in filter(is_paused, self.running):  # its rung is gone, or it is spared the rungs now
                study.note(trial.number, PAUSED_KEY, None)

    def next_running(self) -> FrozenTrial | None:
        """The next one that was at work, unless all that it lacked was to be told."""
        while self.running:
            trial = self._study.complete(self.running.popleft())
            if is_rejected(trial):  # a kill came between its draw and its end
                self._study.finish(trial.number, TrialState.PRUNED, kind=CONSTRAINT)
                continue
            values = values_by_epoch(trial).get(self._epochs)
            if values is None:
                return trial
            self._study.finish(trial.number, TrialState.COMPLETE, values)
        return None
