"""When a trial is stopped early: Ray's asynchronous successive halving over the trials of the study.

A scheduler that pauses and promotes (DESIGN, decision 7) takes its place beside :class:`StudyASHA`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

from search.config import SchedulerConfig

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial

TIME_ATTR = "epoch"
"""The count of finished epochs in a result; Ray's own ``training_iteration`` starts again in a resumed trial."""


@dataclass(frozen=True)
class _StudyTrial:
    """The one thing that Ray's rungs know of a trial; here it is the number in the study."""

    trial_id: str


class StudyASHA(ASHAScheduler):
    """ASHA (https://arxiv.org/abs/1810.05934) whose rungs are kept by study trial and outlive the driver.

    Ray keeps rungs by its own trial ids, which change when a sweep is resumed or extended: old trials would not
    count, and a resumed one would be judged again at a rung that it has passed. Values that are no finite number
    (a diverged training) are kept out of the rungs, where an infinite one would move the cut.

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


def _study_trial(trial: Trial) -> Trial:
    return _stand_in(trial.config["trial_number"])


def _stand_in(number: int) -> Trial:
    return cast("Trial", _StudyTrial(str(number)))


def build_scheduler(
    config: SchedulerConfig, *, epochs: int, metric: str, mode: str, history: Iterable[FrozenTrial] = ()
) -> FIFOScheduler:
    """The scheduler that a sweep's configuration names.

    Args:
        config:
            The ``scheduler`` part of the sweep's configuration.
        epochs:
            Epochs of a full training.
        metric:
            Key of the value in a result.
        mode:
            ``max`` or ``min``.
        history:
            Trials of earlier drivers; their values count in the rungs.
    """
    if config.type == "none":
        return FIFOScheduler()  # type: ignore[no-untyped-call]
    return StudyASHA(
        epochs=epochs,
        metric=metric,
        mode=mode,
        grace_period=config.first_rung(epochs),
        reduction_factor=config.reduction_factor,
        history=history,
    )
