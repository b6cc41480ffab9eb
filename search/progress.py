"""Shows a sweep while it runs: a live table on a terminal, plain lines anywhere else.

What is shown is read from the study, so it is what a resume would find.
"""

# ruff: noqa: ARG002  Ray passes all of these to its hooks, by keyword
from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState
from ray.tune import Callback
from rich.console import Console
from rich.live import Live
from rich.table import Table

from search.budget.report import BudgetState, seconds_left
from search.goals.front import pareto_front
from search.goals.record import is_rejected, values_by_epoch
from search.keys import BEST, FAILURE, LAST
from search.known.marks import is_result
from search.results import BestTrial, best_trial
from search.samplers import AUTHOR_KEY
from search.samplers.keys import is_paused
from search.study import SweepStudy

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

    from search.budget.guard import BudgetGuard

_SHOWN_TRIALS = 15
_REFRESH_S = 0.5
_LARGE, _LARGE_REFRESH_S = 1000, 0.5
"""A study of more trials than this is not read from end to end for every line, but so often at most."""
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    Attributes:
        trials:
            The trials that were started, in their order.
        ended:
            How many of them have ended, imported results apart.
        paused:
            How many of them wait at a rung.
        planned:
            How many there shall be.
        best:
            The best trial so far.
        eta_seconds:
            Time left, at the pace at which trials end or come to wait in this run, until all have or the nearest budget
            is used up; None before the first has.
        paused:
            How many trials wait at a rung.
        budget:
            How far each budget is used.
        rejected:
            How many more were drawn and break a constraint.
        front:
            How many trials are on the front, where there are several goals.
    """

    trials: tuple[FrozenTrial, ...]
    ended: int
    planned: int
    best: BestTrial | None
    eta_seconds: float | None
    paused: int = 0
    budget: tuple[BudgetState, ...] = ()
    rejected: int = 0
    front: int = 0


class ProgressCallback(Callback):
    """Prints the sweep's progress.

    Args:
        study:
            The study.
        planned:
            How many trials there shall be.
        epochs:
            Epochs of a full training.
        console:
            Where to; None prints nothing.
        on_progress:
            Called whenever a trial has reported or ended, for a notebook's own display.
        guard:
            Keeps the budget; None: there is none.
    """

    def __init__(
        self,
        study: SweepStudy,
        planned: int,
        epochs: int,
        console: Console | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        guard: BudgetGuard | None = None,
    ) -> None:
        self._study = study
        self._planned = planned
        self._epochs = epochs
        self._console = console
        self._on_progress = on_progress
        self._guard = guard
        self._spent_before = guard.states() if guard else ()
        self._live: Live | None = None
        self._settled_before = _settled(study.trials())
        self._started_at = time.monotonic()
        self._shown_at = 0.0
        self._known: Progress | None = None
        self._known_at = 0.0

    def setup(self, *args: object, **info: object) -> None:
        """Open the live table."""
        self._started_at = time.monotonic()
        if self._console is not None and self._console.is_terminal:
            self._live = Live(self._table(self.progress()), console=self._console, auto_refresh=False)
            self._live.start()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """Say that a trial has begun."""
        number = trial.config["trial_number"]
        if trial.config["checkpoint"] or trial.checkpoint is not None:
            onward = "goes on from its checkpoint"
        elif LAST in self._study.trial(number).user_attrs:
            onward = "starts again from its first epoch"
        else:
            onward = "starts"
        self._say(f"trial {number} {onward} ({self._author(number)})")

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: object,
    ) -> None:
        """Bring the table up to date; say that a trial has come to wait."""
        self._update()
        self._say_pause(trial.config["trial_number"])

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """Say that a trial crashed and is started again."""
        self._say(f"trial {trial.config['trial_number']} crashed and is started again from its last checkpoint")

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """Say how a trial ended."""
        self._say_end(trial.config["trial_number"])

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """Say how a trial ended."""
        self._say_end(trial.config["trial_number"])

    def on_experiment_end(self, trials: list[Trial], **info: object) -> None:
        """Leave the last table standing."""
        self._known = None
        self._update(force=True)
        self.close()

    def close(self) -> None:
        """Give the terminal back; harmless when done twice."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def progress(self) -> Progress:
        """How far the sweep is now."""
        drawn = [t for t in self._study.trials() if t.state != TrialState.WAITING]
        trials = tuple(trial for trial in drawn if not is_rejected(trial))
        ended, settled = sum(t.state in _ENDED and not is_result(t) for t in trials), _settled(trials)
        elapsed = max(time.monotonic() - self._started_at, 1e-9)
        pace = (settled - self._settled_before) / elapsed
        spent = self._guard.states() if self._guard else ()
        left = [seconds_left(before, now, elapsed) for before, now in zip(self._spent_before, spent, strict=True)]
        left.append((self._planned - settled) / pace if pace > 0 else None)
        eta = min((each for each in left if each is not None), default=None)
        front = len(pareto_front(self._study.study)) if self._study.has_several_goals else 0
        best, rejected = best_trial(self._study.study), len(drawn) - len(trials)
        return Progress(trials, ended, self._planned, best, eta, settled - ended, spent, rejected, front)

    def _recent(self) -> Progress:
        """How far the sweep is now, or, where there are very many trials, was a moment ago."""
        now = time.monotonic()
        if self._known is None or len(self._known.trials) < _LARGE or now - self._known_at >= _LARGE_REFRESH_S:
            self._known, self._known_at = self.progress(), now
        return self._known

    def _update(self, *, force: bool = False) -> None:
        if self._live is None and self._on_progress is None:
            return
        if not force and time.monotonic() - self._shown_at < _REFRESH_S:
            return
        self._shown_at = time.monotonic()
        progress = self._recent()
        if self._live is not None:
            self._live.update(self._table(progress), refresh=True)
        if self._on_progress is not None:
            self._on_progress(progress)

    def _say(self, line: str) -> None:
        """Print a line where there is no live table, which would show the same."""
        if self._console is not None and self._live is None:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _say_end(self, number: int) -> None:
        self._update(force=True)
        if self._console is None or self._live is not None:
            return
        trial, progress = self._study.trial(number), self._recent()
        if not trial.state.is_finished():
            self._say(f"trial {number} waits for a resume")
            return
        reason = f": {trial.user_attrs[FAILURE]}" if FAILURE in trial.user_attrs else ""
        self._say(
            f"trial {number} {trial.state.name} after {_epochs(trial)} of {self._epochs} epochs, "
            f"{_value(trial)}{reason} | {summary(progress)}"
        )

    def _say_pause(self, number: int) -> None:
        if self._console is None or self._live is not None:
            return
        trial = self._study.trial(number)
        if is_paused(trial):
            reached = f"{_epochs(trial)} of {self._epochs} epochs, {_value(trial)}"
            self._say(f"trial {number} waits after {reached} | {summary(self._recent())}")

    def _author(self, number: int) -> str:
        return str(self._study.trial(number).user_attrs.get(AUTHOR_KEY, ""))

    def _table(self, progress: Progress) -> Table:
        table = Table(title=f"sweep {self._study.name}", caption=summary(progress))
        for name in ("trial", "sampler", "state", "epoch", "value", "best"):
            table.add_column(name, justify="left" if name in ("sampler", "state") else "right")
        for trial in _worth_showing(progress):
            style = "bold" if progress.best and trial.number == progress.best.trial.number else None
            author = str(trial.user_attrs.get(AUTHOR_KEY, ""))
            epoch = f"{_epochs(trial)}/{self._epochs}"
            table.add_row(
                str(trial.number), author, trial.state.name, epoch, _value(trial), _best_value(trial), style=style
            )
        return table

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles its callbacks; a terminal and a storage stay in the driver


def summary(progress: Progress) -> str:
    """One line: trials, the best so far, time left."""
    paused = f" ({progress.paused} more paused)" if progress.paused else ""
    parts = [f"{progress.ended}/{progress.planned} trials{paused}", *map(str, progress.budget)]
    if progress.rejected:
        parts.append(f"{progress.rejected} rejected")
    if progress.front:
        parts.append(f"{progress.front} on the front")
    if progress.best is not None:
        best = progress.best
        parts.append(f"best {best.value:.4g} (trial {best.trial.number}, epoch {best.epoch})")
    if progress.eta_seconds and progress.ended < progress.planned:
        minutes, seconds = divmod(round(progress.eta_seconds), 60)
        parts.append(f"ETA {minutes // 60}:{minutes % 60:02d}:{seconds:02d}")
    return ", ".join(parts)


def _settled(trials: Iterable[FrozenTrial]) -> int:
    """How many trials have ended or wait, imported and rejected ones apart."""
    return sum((t.state in _ENDED and not is_result(t) and not is_rejected(t)) or is_paused(t) for t in trials)


def _worth_showing(progress: Progress) -> list[FrozenTrial]:
    """The newest trials, what trains, and the best."""
    newest = {t.number for t in progress.trials[-_SHOWN_TRIALS:]}
    best = {progress.best.trial.number} if progress.best else set()
    shown = newest | best
    return [t for t in progress.trials if t.number in shown or (t.state == TrialState.RUNNING and not is_paused(t))]


def _epochs(trial: FrozenTrial) -> int:
    return int(trial.user_attrs.get(LAST, {}).get("epoch", 0))


def _value(trial: FrozenTrial) -> str:
    known = (trial.value,) if is_result(trial) else values_by_epoch(trial).get(_epochs(trial), ())
    values = [value for value in known if value is not None]
    return "-" if not values else " / ".join(f"{value:.4g}" for value in values)


def _best_value(trial: FrozenTrial) -> str:
    value = trial.intermediate_values.get(trial.user_attrs.get(BEST, {}).get("epoch", 0))
    return "-" if value is None else f"{value:.4g}"
