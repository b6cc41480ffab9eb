"""Schedulers that stop trials for good: Ray's asynchronous successive halving over the study, and rules of ours."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

from search.schedulers.keys import TIME_ATTR
from search.schedulers.median import MedianRule
from search.schedulers.promoting import ACTIONS

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial


@dataclass(frozen=True)
class _StudyTrial:
    """The one thing that Ray's rungs know of a trial; here it is the number in the study."""

    trial_id: str


class StudyASHA(ASHAScheduler):
    """ASHA (https://arxiv.org/abs/1810.05934) whose rungs are kept by study trial and outlive the driver.

    Ray keeps rungs by its own trial ids, which change when a sweep is resumed or extended: old trials would not
    count, and a resumed one would be judged again at a rung that it has passed. Values that are no finite number
    (a diverged training) are kept out of the rungs, where an infinite one would move the cut. Ray's flaw stays: the
    first trial to reach a rung always goes on, whatever its value, and what is stopped never comes back.

    Args:
        epochs:
            Epochs of a full training.
        metric:
            Key of the value in a result.
        mode:
            ``max`` or ``min``.
        grace_period:
            First rung in epochs.
        reduction_factor:
            Distance of the rungs, and how many compete for one place.
        history:
            Trials of earlier drivers, whose values fill the rungs.
    """

    def __init__(
        self,
        *,
        epochs: int,
        metric: str,
        mode: str,
        grace_period: int,
        reduction_factor: float,
        history: Iterable[FrozenTrial] = (),
    ) -> None:
        super().__init__(
            time_attr=TIME_ATTR,
            metric=metric,
            mode=mode,
            max_t=epochs,
            grace_period=grace_period,
            reduction_factor=reduction_factor,
        )
        for trial in sorted(history, key=lambda t: t.number):
            self._replay(trial)

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """Give the trial its rungs; again when it is started anew after a crash."""
        super().on_trial_add(tune_controller, _study_trial(trial))

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """Stop the trial or let it go on."""
        if not self._is_finite(result):
            return TrialScheduler.STOP
        return super().on_trial_result(tune_controller, _study_trial(trial), result)

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> None:
        """Keep the last value of a finished trial, if it is one."""
        if self._is_finite(result):
            super().on_trial_complete(tune_controller, _study_trial(trial), result)
        else:
            super().on_trial_remove(tune_controller, _study_trial(trial))

    def on_trial_remove(self, tune_controller: TuneController, trial: Trial) -> None:
        """Forget a trial that ended before it began."""
        super().on_trial_remove(tune_controller, _study_trial(trial))

    def _is_finite(self, result: dict[str, Any]) -> bool:
        return math.isfinite(result.get(str(self._metric), math.nan))

    def _replay(self, trial: FrozenTrial) -> None:
        """Fill the rungs with what a trial of an earlier driver reported; the decisions are history."""
        stand_in, no_controller = _stand_in(trial.number), cast("TuneController", None)
        super().on_trial_add(no_controller, stand_in)
        for epoch, value in sorted(trial.intermediate_values.items()):
            if math.isfinite(value):
                super().on_trial_result(no_controller, stand_in, {TIME_ATTR: epoch, self._metric: value})


class RuleScheduler(FIFOScheduler):
    """Stops trials by a rule that is kept by their number in the study.

    Args:
        rule:
            What decides.
        metric:
            Key of the value in a result.
    """

    def __init__(self, rule: MedianRule, *, metric: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rule = rule
        self._value_key = metric

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:  # noqa: ARG002
        """Stop the trial or let it go on."""
        value = result.get(self._value_key, math.nan)
        return ACTIONS[self._rule.record(trial.config["trial_number"], int(result[TIME_ATTR]), value)]


def _study_trial(trial: Trial) -> Trial:
    return _stand_in(trial.config["trial_number"])


def _stand_in(number: int) -> Trial:
    return cast("Trial", _StudyTrial(str(number)))
