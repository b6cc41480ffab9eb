"""Ties :class:`search.budget.guard.BudgetGuard` to Ray Tune: around the scheduler, which decides, and as a callback."""

# ruff: noqa: ARG002  Ray passes all of these to its hooks, by keyword
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray.air.constants import TIME_THIS_ITER_S
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController

    from search.budget.guard import BudgetGuard


class BudgetScheduler(TrialScheduler):
    """Passes on what another scheduler decides, except that no epoch begins which the budget has no room for.

    A trial that may not go on is stopped at the end of its epoch: Ray saves its checkpoint first. The searcher asks
    the guard whether it is held and leaves it RUNNING in the study.

    Args:
        inner:
            The scheduler that decides about quality.
        guard:
            The guard.
    """

    def __init__(self, inner: TrialScheduler, guard: BudgetGuard) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray left it untyped
        self._inner, self._guard = inner, guard
        self._supports_buffered_results = inner.supports_buffered_results

    @property
    def metric(self) -> str | None:
        """The inner scheduler's."""
        found: str | None = self._inner.metric
        return found

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:  # noqa: ANN401
        """Passed on."""
        return self._inner.set_search_properties(metric, mode, **spec)

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """Passed on."""
        self._inner.on_trial_add(tune_controller, trial)

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """Passed on."""
        self._inner.on_trial_error(tune_controller, trial)

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """What the inner scheduler says; STOP where it lets the trial go on and the budget does not."""
        decision = self._inner.on_trial_result(tune_controller, trial, result)
        number = _number(trial)
        if decision == TrialScheduler.CONTINUE and not self._guard.may_go_on(number, result.get(TIME_THIS_ITER_S, 0.0)):
            return TrialScheduler.STOP
        if decision == TrialScheduler.PAUSE:
            self._guard.rest(number)
        return decision

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> None:
        """Passed on; a trial that is held has not come to its end."""
        if self._guard.holds(_number(trial)):
            self._inner.on_trial_remove(tune_controller, trial)
        else:
            self._inner.on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: TuneController, trial: Trial) -> None:
        """Passed on."""
        self._inner.on_trial_remove(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """What the inner scheduler chooses; nothing where the budget has no room for an epoch more.

        The inner one is not asked then: it takes note of what it promotes. A new trial has its epoch already; Ray
        starts it without asking.
        """
        with self._guard.alone():
            if not self._guard.may_begin():
                return None
            trial: Trial | None = self._inner.choose_trial_to_run(tune_controller)
            if trial is not None and trial.status == Trial.PAUSED:
                self._guard.reserve(_number(trial))
        return trial

    def debug_string(self) -> str:
        """The inner scheduler's."""
        return self._inner.debug_string()


class BudgetCallback(Callback):
    """Tells the guard what trials do; to stand before whatever shows the budget.

    Args:
        guard:
            The guard.
    """

    def __init__(self, guard: BudgetGuard) -> None:
        self._guard = guard

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """An epoch begins."""
        self._guard.begin(_number(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: object
    ) -> None:
        """An epoch was trained, and the searcher has told the study."""
        self._guard.record(_number(trial))

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """A trial has ended, or is held."""
        self._end(trial)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """A trial was given up."""
        self._end(trial)

    def _end(self, trial: Trial) -> None:
        self._guard.rest(_number(trial))
        self._guard.record(_number(trial))

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles its callbacks; a study stays in the driver


def _number(trial: Trial) -> int:
    return int(trial.config["trial_number"])
