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
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from optuna.trial import FrozenTrial, TrialState
from ray.tune.search import Searcher

from data_prep.errors import InputError
from search.crashes import Crash
from search.fatal import all_failed, all_rejected, missing_metric
from search.goals.record import REJECTED, is_rejected, values_by_epoch
from search.goals.screen import MOST_REDRAWS
from search.keys import LAST
from search.known.marks import is_result
from search.left_trials import LeftTrials
from search.outcome import judge
from search.recording import EpochRecorder
from search.samplers.keys import PAUSED_KEY
from search.schedulers.rungs import Ladder
from search.study import SweepStudy
from search.trial_plan import TrialPlan
from trainable.failures import DIVERGED, FAILURE, FAILURE_KIND, SHARED, error_of

if TYPE_CHECKING:
    from search.budget.guard import BudgetGuard


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
        self._recorder = EpochRecorder(study, plan, rungs)
        self._left = LeftTrials(study, plan.epochs, rungs)
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
        if self._left.waiting:
            return self._hand_out(trial_id, self._left.waiting.popleft(), None)
        if self._guard is not None and not self._may_begin():
            # One that is at work may fail and leave its epoch to another.
            return None if self._guard.any_at_work() else cast("dict[str, Any]", Searcher.FINISHED)
        promotable = 0 if self._rungs is None else sum(1 for _ in self._rungs.promotables())
        if not self._has_room_for(1 if self._left.running else 1 + promotable):
            return None
        trial = self._left.next_running()
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
        if not self._is_exhausted and self._at_work():  # another driver has just taken the last epoch
            return None
        return cast("dict[str, Any]", Searcher.FINISHED)  # a text: so Ray wants it

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Report a step after which the trial goes on."""
        if self._has_metric(result):
            with self._study.together():
                self._recorder.record(self._numbers[trial_id], result)

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
        return number in self._left.begun

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

    def _next_new(self) -> FrozenTrial | None:
        trial = None if self._is_exhausted or self._study.exhausted() else self._draw()
        self._is_exhausted = trial is None and self._may_begin()
        return trial

    def _draw(self) -> FrozenTrial | None:
        """A new trial that keeps to the constraints; None if there are enough. If none is found the sweep ends."""
        why = ""
        for _ in range(MOST_REDRAWS):
            trial = self._study.draw_below(self._plan.trials, self._may_begin)
            if trial is None or not is_rejected(trial):
                return trial
            why = trial.user_attrs[REJECTED]
        self.error = all_rejected(why)
        return None

    def _may_begin(self) -> bool:
        return self._guard is None or self._guard.may_begin()

    def _hand_out(self, trial_id: str, trial: FrozenTrial, checkpoint: str | None) -> dict[str, Any]:
        self._numbers[trial_id] = trial.number
        self._live.add(trial_id)
        return self._plan.trial_config(trial, checkpoint)

    def _at_work(self) -> int:
        """How many trials Ray has whose worker is not free."""
        return len(self._live) - len(self._parked)

    def _has_room_for(self, trials: int) -> bool:
        return self._plan.max_concurrent is None or self._at_work() + trials <= self._plan.max_concurrent

    def _finish(self, number: int, result: dict[str, Any] | None, crash: Crash | None) -> None:
        if crash is not None:
            self._fail(number, crash.reason, crash.kind)
        elif result and result.get(FAILURE_KIND) in SHARED:
            # The trial stays RUNNING in the study, as if interrupted.
            self.error = self.error or error_of(str(result[FAILURE_KIND]), str(result[FAILURE]))
        elif result and self._guard is not None and self._guard.holds(number):
            self._recorder.record(number, result)
            self._guard.put_back(number)
            self._left.running.append(self._study.trial(number))  # RUNNING: it waits for more budget
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
                self._recorder.record(number, result)
                self._study.finish(number, outcome.state, values)
        if result and not result.get(FAILURE):
            self._has_metric(result)

    def _fail(self, number: int, reason: str, kind: str | None) -> None:
        self._study.finish(number, TrialState.FAIL, reason=reason, kind=kind)
        if kind != DIVERGED:
            self.error = all_failed(self._study, reason) or self.error

    def _has_metric(self, result: Mapping[str, Any]) -> bool:
        """Whether the metric is among what is reported; if not, no trial can tell anything and the sweep ends."""
        missing = missing_metric(self._plan, result)
        self.error = missing or self.error
        return missing is None
