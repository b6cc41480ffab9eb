"""EpochRecorder: what the study keeps of each epoch that a trial reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial
from ray.air.constants import TIME_THIS_ITER_S

from search.goals.record import values_by_epoch
from search.keys import BEST, GPU_PEAK, GPU_SECONDS, LAST
from search.outcome import metrics_of
from search.samplers.keys import PAUSED_KEY
from search.schedulers.keys import TIME_ATTR
from search.schedulers.rungs import Ladder
from search.study import SweepStudy
from search.trial_plan import TrialPlan


class EpochRecorder:
    """Stores epochs in the study: the value, whether the trial now waits, what it took and its best epoch.

    Args:
        study:
            The study.
        plan:
            What its trials share.
        rungs:
            Where trials wait; None where none ever does.
    """

    def __init__(self, study: SweepStudy, plan: TrialPlan, rungs: Ladder[Any, Any] | None) -> None:
        self._study = study
        self._plan = plan
        self._rungs = rungs

    def record(self, number: int, result: Mapping[str, Any]) -> None:
        """Store a step: its value and what was measured; and, where there is one goal, the best step so far.

        An epoch that is trained again, because a checkpoint was lost, keeps what was reported first; what it took is
        added all the same.
        """
        epoch, metrics = int(result[TIME_ATTR]), metrics_of(result)
        trial = self._study.trial(number)
        if epoch not in values_by_epoch(trial):
            self._report(trial, epoch, metrics)
        self._note_pause(trial)
        last = trial.user_attrs.get(LAST, {})
        newest = {"epoch": epoch, "metrics": metrics} if epoch > last.get("epoch", 0) else {}
        self._study.note(number, LAST, {**last, **newest, **_spent(last, result, self._plan.gpus)})
        if self._study.has_several_goals:
            return
        best, value = trial.user_attrs.get(BEST), trial.intermediate_values.get(epoch, metrics[self._plan.metric])
        if best is None or self._study.better(value, best["metrics"][self._plan.metric]):
            self._study.note(number, BEST, {"epoch": epoch, "metrics": metrics})

    def _report(self, trial: FrozenTrial, epoch: int, metrics: Mapping[str, float]) -> None:
        if self._study.has_several_goals:
            self._study.report_goals(trial, epoch, [metrics[name] for name in self._plan.metrics])
        else:
            self._study.report(trial.number, epoch, metrics[self._plan.metric])

    def _note_pause(self, trial: FrozenTrial) -> None:
        """Say in the study whether a trial waits.

        Before ``last`` is written: where that names the epoch, this is decided (:func:`search.schedulers.build.past`).
        """
        paused_at = None if self._rungs is None else self._rungs.waiting.get(trial.number)
        if paused_at != trial.user_attrs.get(PAUSED_KEY):
            self._study.note(trial.number, PAUSED_KEY, paused_at)


def _spent(last: Mapping[str, Any], result: Mapping[str, Any], gpus: float) -> dict[str, Any]:
    """What a trial took, this epoch included: seconds, epochs, and GPU memory where there is a GPU."""
    seconds = result.get(TIME_THIS_ITER_S, 0.0)
    spent = {
        "seconds": last.get("seconds", 0.0) + seconds,
        "epochs_run": last.get("epochs_run", last.get("epoch", 0)) + 1,
    }
    if gpus:
        spent[GPU_SECONDS] = last.get(GPU_SECONDS, 0.0) + seconds * gpus
    peaks = [peak for peak in (last.get(GPU_PEAK), result.get(GPU_PEAK)) if peak]
    return {**spent, GPU_PEAK: int(max(peaks))} if peaks else spent
