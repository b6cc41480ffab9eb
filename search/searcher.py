"""StudySearcher: between Ray Tune, which runs trials, and the study, which knows what they are: ask, report, tell.

What Ray's own ``OptunaSearch`` gets wrong and what is done here (DESIGN, decision 4):

- a trial that the scheduler stopped is PRUNED, not COMPLETE, and the value of its last step is reported before: Ray
  passes that step to ``on_trial_complete`` alone;
- a diverged or crashed trial is FAIL with its reason and kind, and none stays RUNNING;
- what every other trial would meet as well (no data set) ends the sweep, and the trial waits for a resume;
- what cannot be written to the study ends the sweep instead of vanishing in a log.

It is also the desk of :class:`search.schedulers.promoting.PromotingScheduler`: trials that wait at a rung stay RUNNING
in the study, with the rung's epoch in ``paused``, and do not count as at work.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from optuna.trial import FrozenTrial, TrialState
from ray.air.constants import TIME_THIS_ITER_S
from ray.tune.search import Searcher

from data_prep.errors import InputError, WorkFailedError
from search.crashes import Crash
from search.goals.config import Objective
from search.goals.record import REJECTED, is_rejected, values_by_epoch
from search.goals.screen import CONSTRAINT, MOST_REDRAWS
from search.keys import BEST, GPU_PEAK, GPU_SECONDS, LAST
from search.known.marks import is_result
from search.outcome import judge, metrics_of
from search.samplers.keys import PAUSED_KEY
from search.schedulers.keys import TIME_ATTR
from search.schedulers.rungs import Ladder
from search.space import Space
from search.study import SweepStudy
from trainable.costs import COSTS
from trainable.failures import DIVERGED, FAILURE, FAILURE_KIND, KINDS, SHARED

if TYPE_CHECKING:
    from search.budget.guard import BudgetGuard

HOPELESS = 3
"""So many failed trials without a single epoch among all trials end a sweep; diverged ones alone do not."""


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
    """Most trials at work at a time, not counting those that wait at a rung; None leaves it to the resources."""
    gpus: float = 0.0
    """GPUs of one trial."""
    objectives: tuple[Objective, ...] = ()
    """Several goals, of which ``metric`` and ``mode`` are the first; none where there is one."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Keys of all values that are optimized."""
        return tuple(goal.metric for goal in self.objectives) or (self.metric,)

    def trial_config(self, trial: FrozenTrial, checkpoint: str | None) -> dict[str, Any]:
        """The configuration that the trainable gets."""
        return self.config_of(trial.number, trial.params, checkpoint)

    def config_of(self, number: int, params: Mapping[str, Any], checkpoint: str | None) -> dict[str, Any]:
        """The same from a trial's number and parameters."""
        hyp, settings = self.space.split(params)
        return {
            "trial_number": number,
            "hyp": {**self.hyp, **hyp},
            "train": {**self.train, **settings},
            "checkpoint": checkpoint,
            **({"costs": costs} if (costs := [name for name in self.metrics if name in COSTS]) else {}),
        }


class StudySearcher(Searcher):
    """Hands the study's trials to Ray and tells the study what became of them.

    Trials that an earlier driver left RUNNING come first, under their own numbers: those that wait at a rung, which
    take no worker until they are promoted; then the others, from their newest checkpoint. Then come new ones, until the
    study has as many as planned. All state is in the study; what Ray saves of this object is the map from its trial
    ids to the study's numbers.

    Args:
        study:
            The study.
        plan:
            What its trials share.
        find_checkpoint:
            Path or URI of the newest checkpoint of a trial that is run again, or None.
        crash_of:
            Why Ray gave up on a trial, by Ray's id.
        rungs:
            Where trials wait; None where the scheduler never pauses one.
        guard:
            Keeps the budget; None: there is none.

    Attributes:
        error:
            Why the sweep ends: what kept the study from being told, which Ray would only log, or what every trial would
            meet.
    """

    def __init__(
        self,
        study: SweepStudy,
        plan: TrialPlan,
        find_checkpoint: Callable[[int], str | None],
        crash_of: Callable[[str], Crash],
        rungs: Ladder[Any, Any] | None = None,
        guard: BudgetGuard | None = None,
    ) -> None:
        super().__init__(metric=plan.metric, mode=plan.mode)
        self._study = study
        self._study_name = study.name
        self._plan = plan
        self._find_checkpoint = find_checkpoint
        self._crash_of = crash_of
        self._rungs = rungs
        left = study.take_over()
        self._left_waiting = deque(trial for trial in left if self._waits(trial.number))
        self._left_running = deque(trial for trial in left if not self._waits(trial.number))
        self._begun = frozenset(trial.number for trial in self._left_running)
        self._guard = guard
        self._numbers: dict[str, int] = {}
        self._live: set[str] = set()
        self._parked: set[int] = set()
        self._is_exhausted = False
        self.error: Exception | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The configuration of the next trial; None while there can be none; ``FINISHED`` when there will be none.

        As long as a trial that waits may be promoted the sweep is not finished: Ray would let its workers go.
        """
        if self._left_waiting:
            return self._hand_out(trial_id, self._left_waiting.popleft(), None)
        if self._guard is not None and not self._guard.may_begin():
            # One that is at work may fail and leave its epoch to another.
            return None if self._guard.any_at_work() else cast("dict[str, Any]", Searcher.FINISHED)
        promotable = 0 if self._rungs is None else sum(1 for _ in self._rungs.promotables())
        if not self._has_room_for(1 if self._left_running else 1 + promotable):
            return None
        trial = self._next_left()
        if trial is None and self._study.started() < self._plan.trials and self._study.must_wait():
            return None
        trial = trial or self._next_new()
        if trial is not None:
            if self._guard is not None:
                self._guard.reserve(trial.number)
            checkpoint = self._find_checkpoint(trial.number) if trial.user_attrs.get(LAST) else None
            return self._hand_out(trial_id, trial, checkpoint)
        if self._rungs is not None and (promotable or self._at_work()):
            return None
        return cast("dict[str, Any]", Searcher.FINISHED)  # a text: so Ray wants it

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Report a step after which the trial goes on."""
        if self._has_metric(result):
            with self._study.together():
                self._record(self._numbers[trial_id], result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Report the last step and tell the study what the trial is."""
        if trial_id not in self._live:
            return
        self._live.discard(trial_id)
        self._parked.discard(self._numbers[trial_id])
        try:
            self._finish(self._numbers[trial_id], result, self._crash_of(trial_id) if error else None)
        except Exception as failure:
            self.error = failure
            raise

    def has_begun(self, number: int) -> bool:
        """Whether an earlier driver left a trial at work."""
        return number in self._begun

    def has_room(self) -> bool:
        """Whether one trial more may be at work."""
        return self._has_room_for(1)

    def is_over(self) -> bool:
        """Whether there are no more new trials and none is at work."""
        return self._is_exhausted and not self._at_work()

    def has_full_training(self, apart_from: Container[int]) -> bool:
        """Whether a trial of this sweep, but those, has been trained to its last epoch."""
        ended = self._study.trials(TrialState.COMPLETE)
        return any(trial.number not in apart_from and not is_result(trial) for trial in ended)

    def park(self, number: int) -> None:
        """A trial that waits has left its worker."""
        self._parked.add(number)

    def take_up(self, number: int) -> None:
        """A trial that waits is promoted."""
        self._parked.discard(number)
        self._study.note(number, PAUSED_KEY, None)

    def left_checkpoint(self, number: int) -> str | None:
        """The newest checkpoint of a trial in the storage."""
        return self._find_checkpoint(number)

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
            if is_rejected(trial):  # a kill came between its draw and its end
                self._study.finish(trial.number, TrialState.PRUNED, kind=CONSTRAINT)
                continue
            values = values_by_epoch(trial).get(self._plan.epochs)
            if values is None:
                return trial
            self._study.finish(trial.number, TrialState.COMPLETE, values)
        return None

    def _next_new(self) -> FrozenTrial | None:
        trial = None if self._is_exhausted or self._study.exhausted() else self._draw()
        self._is_exhausted = trial is None
        return trial

    def _draw(self) -> FrozenTrial | None:
        """A new trial that keeps to the constraints; None if there are enough. If none is found the sweep ends."""
        why = ""
        for _ in range(MOST_REDRAWS):
            trial = self._study.draw_below(self._plan.trials)
            if trial is None or not is_rejected(trial):
                return trial
            why = trial.user_attrs[REJECTED]
        self.error = WorkFailedError(
            f"the last {MOST_REDRAWS} configurations that were drawn all break a constraint, the newest because "
            f"{why}: loosen it, or narrow the space to what keeps to it."
        )
        return None

    def _hand_out(self, trial_id: str, trial: FrozenTrial, checkpoint: str | None) -> dict[str, Any]:
        self._numbers[trial_id] = trial.number
        self._live.add(trial_id)
        return self._plan.trial_config(trial, checkpoint)

    def _waits(self, number: int) -> bool:
        return self._rungs is not None and number in self._rungs.waiting

    def _at_work(self) -> int:
        """How many trials Ray has whose worker is not free."""
        return len(self._live) - len(self._parked)

    def _has_room_for(self, trials: int) -> bool:
        return self._plan.max_concurrent is None or self._at_work() + trials <= self._plan.max_concurrent

    def _finish(self, number: int, result: dict[str, Any] | None, crash: Crash | None) -> None:
        if crash is not None:
            self._fail(number, crash.reason, crash.kind)
        elif result and result.get(FAILURE_KIND) in SHARED:
            self._halt(str(result[FAILURE]), str(result[FAILURE_KIND]))
        elif result and self._guard is not None and self._guard.holds(number):
            self._record(number, result)
            self._guard.put_back(number)
            self._left_running.append(self._study.trial(number))  # RUNNING: it waits for more budget
        elif not result and values_by_epoch(self._study.trial(number)):  # paused, and never gone on with
            self._study.finish(number, TrialState.PRUNED)
        else:
            self._close(number, result)

    def _close(self, number: int, result: dict[str, Any] | None) -> None:
        """Tell the study what a trial is that came to its end."""
        outcome = judge(result, self._plan.metrics, self._plan.epochs)
        if outcome.reason is not None:
            self._fail(number, outcome.reason, outcome.kind)
        elif result:
            values = outcome.values if outcome.state == TrialState.COMPLETE else None
            with self._study.together():
                self._record(number, result)
                self._study.finish(number, outcome.state, values)
        if result and not result.get(FAILURE):
            self._has_metric(result)

    def _fail(self, number: int, reason: str, kind: str | None) -> None:
        self._study.finish(number, TrialState.FAIL, reason=reason, kind=kind)
        if kind != DIVERGED:
            self._give_up_if_hopeless(reason)

    def _halt(self, reason: str, kind: str) -> None:
        """End the sweep for what every trial would meet; this one stays RUNNING in the study, as if interrupted."""
        if self.error is None:
            self.error = next(error(reason) for error, known in KINDS if known == kind)

    def _record(self, number: int, result: Mapping[str, Any]) -> None:
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

    def _has_metric(self, result: Mapping[str, Any]) -> bool:
        """Whether the metric is among what is reported; if not, no trial can tell anything and the sweep ends."""
        missing = [name for name in self._plan.metrics if name not in result]
        if not missing:
            return True
        key, known = "objectives" if self._plan.objectives else "metric", ", ".join(sorted(metrics_of(result)))
        self.error = InputError(f"{key}: a trial reports no `{missing[0]}`: choose one of {known}.")
        return False

    def _give_up_if_hopeless(self, reason: str) -> None:
        """End the sweep where the first trials all fail: the next ones would, too."""
        failed = self._study.failed()
        if failed >= HOPELESS and not self._study.has_epochs():
            self.error = WorkFailedError(
                f"the first {failed} trials failed and none has finished an epoch: {reason.rstrip('.')}: "
                "remove the cause and start the sweep anew in another folder."
            )


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
