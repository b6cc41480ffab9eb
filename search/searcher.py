"""StudySearcher: between Ray Tune, which runs trials, and the study, which knows what they are: ask, report, tell.

What Ray's own ``OptunaSearch`` gets wrong and what is done here (DESIGN, decision 4):

- a trial that the scheduler stopped is PRUNED, not COMPLETE, and the value of its last step is reported before: Ray
  passes that step to ``on_trial_complete`` alone;
- a diverged or crashed trial is FAIL with its reason, and none stays RUNNING;
- what cannot be written to the study ends the sweep instead of vanishing in a log.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from optuna.trial import FrozenTrial, TrialState
from ray.air.constants import TIME_THIS_ITER_S
from ray.tune.result import AUTO_RESULT_KEYS, DEBUG_METRICS, DEFAULT_EXPERIMENT_INFO_KEYS, DONE
from ray.tune.search import Searcher

from data_prep.errors import InputError, WorkFailedError
from search.scheduler import TIME_ATTR
from search.space import Space
from search.study import BEST, LAST, SweepStudy

FAILURE_KEY = "failure"
"""Key of a result in which a trainable says why its training is over for good."""

HOPELESS = 3
"""So many crashed trials without a single epoch among all trials end a sweep."""

_NO_METRICS = {*AUTO_RESULT_KEYS, *DEBUG_METRICS, *DEFAULT_EXPERIMENT_INFO_KEYS, DONE, TIME_ATTR, "should_checkpoint"}


@dataclass(frozen=True, kw_only=True)
class TrialPlan:
    """What the trials of a sweep share."""

    space: Space
    """Splits a suggestion into hyps and training settings."""
    hyp: Mapping[str, float]
    """Base hyp that suggestions override."""
    train: Mapping[str, Any]
    """Training settings that suggestions override."""
    epochs: int
    """Epochs of a full training."""
    metric: str
    """Key of the optimized value in a result."""
    mode: Literal["max", "min"]
    """Whether more or less of it is better."""
    trials: int
    """Trials that the study shall have in the end."""
    max_concurrent: int | None = None
    """Most trials at a time; None leaves it to the resources."""

    def trial_config(self, trial: FrozenTrial, checkpoint: str | None) -> dict[str, Any]:
        """The configuration that the trainable gets."""
        hyp, settings = self.space.split(trial.params)
        return {
            "trial_number": trial.number,
            "hyp": {**self.hyp, **hyp},
            "train": {**self.train, **settings},
            "checkpoint": checkpoint,
        }


class Outcome(NamedTuple):
    """What a trial is told to be.

    Attributes:
        state:
            COMPLETE, PRUNED or FAIL.
        value:
            The value of the last step, if it is a finite number.
        reason:
            Why it is FAIL.
    """

    state: TrialState
    value: float | None
    reason: str | None = None


def judge(result: Mapping[str, Any] | None, plan: TrialPlan) -> Outcome:
    """What a trial is, by its last result.

    Args:
        result:
            The last step, as the trainable reported it; None where there was none.
        plan:
            Names the metric and the epochs of a full training.
    """
    if not result:
        return Outcome(TrialState.FAIL, None, "ended before its first epoch")
    value = result.get(plan.metric, math.nan)
    value = float(value) if math.isfinite(value) else None
    if result.get(FAILURE_KEY):
        return Outcome(TrialState.FAIL, None, str(result[FAILURE_KEY]))
    if value is None:
        return Outcome(TrialState.FAIL, None, f"{plan.metric} is no finite number at epoch {result[TIME_ATTR]}")
    finished = result[TIME_ATTR] >= plan.epochs
    return Outcome(TrialState.COMPLETE if finished else TrialState.PRUNED, value)


def metrics_of(result: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers that a trainable reported, nested ones as ``a/b``, without what Ray adds to a result."""
    return {
        key: value
        for key, value in result.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and key.partition("/")[0] not in _NO_METRICS
    }


class StudySearcher(Searcher):
    """Hands the study's trials to Ray and tells the study what became of them.

    Trials that an earlier driver left RUNNING come first, under their own numbers and from their newest checkpoint;
    then new ones, until the study has as many as planned. All state is in the study; what Ray saves of this object is
    the map from its trial ids to the study's numbers.

    Args:
        study:
            The study.
        plan:
            What its trials share.
        find_checkpoint:
            Path or URI of the newest checkpoint of a trial that is run again, or None.
        crash_reason:
            Why Ray gave up on a trial, by Ray's id.

    Attributes:
        error:
            What kept the study from being told; the sweep ends with it, because Ray would only log it.
    """

    def __init__(
        self,
        study: SweepStudy,
        plan: TrialPlan,
        find_checkpoint: Callable[[int], str | None],
        crash_reason: Callable[[str], str],
    ) -> None:
        super().__init__(metric=plan.metric, mode=plan.mode)
        self._study = study
        self._study_name = study.name
        self._plan = plan
        self._find_checkpoint = find_checkpoint
        self._crash_reason = crash_reason
        self._left_running = deque(study.trials(TrialState.RUNNING))
        self._numbers: dict[str, int] = {}
        self._live: set[str] = set()
        self.error: Exception | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The configuration of the next trial, ``FINISHED``, or None while enough trials are at work."""
        if self._plan.max_concurrent is not None and len(self._live) >= self._plan.max_concurrent:
            return None
        trial = self._next_left() or self._next_new()
        if trial is None:
            return cast("dict[str, Any]", Searcher.FINISHED)  # a text: so Ray wants it
        self._numbers[trial_id] = trial.number
        self._live.add(trial_id)
        checkpoint = self._find_checkpoint(trial.number) if trial.user_attrs.get(LAST) else None
        return self._plan.trial_config(trial, checkpoint)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Report a step after which the trial goes on."""
        if self._has_metric(result):
            self._record(self._numbers[trial_id], result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Report the last step and tell the study what the trial is."""
        if trial_id not in self._live:
            return
        self._live.discard(trial_id)
        try:
            self._finish(self._numbers[trial_id], result, self._crash_reason(trial_id) if error else None)
        except Exception as failure:
            self.error = failure
            raise

    def save(self, checkpoint_path: str) -> None:
        """Write the map from Ray's ids to trial numbers; Ray asks for it now and then."""
        Path(checkpoint_path).write_text(json.dumps(self.__getstate__()), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: It belongs to another study.
        """
        state = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
        if state["study_name"] != self._study_name:
            raise InputError(
                f"{checkpoint_path} belongs to study `{state['study_name']}`, not to `{self._study_name}`: "
                "resume the sweep from its own folder."
            )
        self._numbers = state["numbers"]

    def __getstate__(self) -> dict[str, Any]:
        return {"study_name": self._study_name, "numbers": self._numbers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # An unpickled searcher only remembers; Ray makes one when it looks into its own snapshots.
        self._study_name, self._numbers = state["study_name"], state["numbers"]

    def _next_left(self) -> FrozenTrial | None:
        """The next trial that an earlier driver left, unless all that it lacked was to be told."""
        while self._left_running:
            trial = self._study.complete(self._left_running.popleft())
            value = trial.intermediate_values.get(self._plan.epochs)
            if value is None:
                return trial
            self._study.finish(trial.number, TrialState.COMPLETE, value)
        return None

    def _next_new(self) -> FrozenTrial | None:
        return self._study.draw() if self._study.started() < self._plan.trials else None

    def _finish(self, number: int, result: dict[str, Any] | None, crash: str | None) -> None:
        if crash is not None:
            self._study.finish(number, TrialState.FAIL, reason=crash)
            self._give_up_if_hopeless(crash)
            return
        outcome = judge(result, self._plan)
        if result and outcome.value is not None:
            self._record(number, result)
        value = outcome.value if outcome.state == TrialState.COMPLETE else None
        self._study.finish(number, outcome.state, value, outcome.reason)
        if result and not result.get(FAILURE_KEY):
            self._has_metric(result)

    def _record(self, number: int, result: Mapping[str, Any]) -> None:
        """Store a step: its value and what was measured; and the best step so far."""
        epoch, metrics = int(result[TIME_ATTR]), metrics_of(result)
        value = metrics[self._plan.metric]
        trial = self._study.trial(number)
        self._study.report(number, epoch, value)
        spent = trial.user_attrs.get(LAST, {}).get("seconds", 0.0) + result.get(TIME_THIS_ITER_S, 0.0)
        self._study.note(number, LAST, {"epoch": epoch, "seconds": spent, "metrics": metrics})
        best = trial.user_attrs.get(BEST)
        if best is None or self._study.better(value, best["metrics"][self._plan.metric]):
            self._study.note(number, BEST, {"epoch": epoch, "metrics": metrics})

    def _has_metric(self, result: Mapping[str, Any]) -> bool:
        """Whether the metric is among what is reported; if not, no trial can tell anything and the sweep ends."""
        if self._plan.metric in result:
            return True
        known = ", ".join(sorted(metrics_of(result)))
        self.error = InputError(f"metric: a trial reports no `{self._plan.metric}`: choose one of {known}.")
        return False

    def _give_up_if_hopeless(self, crash: str) -> None:
        """End the sweep where the first trials all crash: the next ones would, too."""
        ended = self._study.trials(TrialState.FAIL)
        if len(ended) >= HOPELESS and not any(trial.intermediate_values for trial in self._study.trials()):
            self.error = WorkFailedError(
                f"the first {len(ended)} trials crashed and none has finished an epoch: {crash}: remove the cause and "
                "start the sweep anew in another folder."
            )
