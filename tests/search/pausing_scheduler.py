"""A small scheduler that pauses every trial at a rung and lets all go on once the last of them waits there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler


class PausingScheduler(FIFOScheduler):
    """Pauses ``trials`` trials at ``rung``; calls ``on_release`` with them before the first is resumed."""

    def __init__(self, rung: int, trials: int, on_release: Callable[[list[Trial]], None] = lambda trials: None) -> None:
        super().__init__()
        self._rung, self._trials, self._on_release = rung, trials, on_release
        self._passed: set[int] = set()
        self._released = False

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        number = trial.config["trial_number"]
        if result["epoch"] == self._rung and number not in self._passed:
            self._passed.add(number)
            return TrialScheduler.PAUSE
        return TrialScheduler.CONTINUE

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        trials = tune_controller.get_trials()
        pending = [trial for trial in trials if trial.status == Trial.PENDING]
        paused = [trial for trial in trials if trial.status == Trial.PAUSED]
        if not self._released and len(paused) == self._trials:
            self._released = True
            self._on_release(paused)
        return next(iter([*pending, *(paused if self._released else [])]), None)
