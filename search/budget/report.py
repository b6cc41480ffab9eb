"""How far each budget of a sweep is used, in numbers and in words."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any, NamedTuple

from optuna.study import StudyDirection

from search.budget.goals import Goals
from search.budget.spending import Spent, TrainingSums, noted_seconds

if TYPE_CHECKING:
    import optuna

    from search.budget.config import BudgetConfig


HOUR = 3600.0


class BudgetState(NamedTuple):
    """How far one budget is used.

    Attributes:
        name:
            Its key in ``budget``.
        used:
            What was spent of it; of ``target`` the best value so far, of ``plateau`` the trials without a new best.
            None before the first COMPLETE trial.
        limit:
            What was configured.
        epoch:
            What a further epoch takes of it; 0 where that is not known, or not counted in epochs.
    """

    name: str
    used: float | None
    limit: float
    epoch: float = 0.0

    def __str__(self) -> str:
        used = "-" if self.used is None else f"{self.used:.4g}"
        return f"{self.name} {used}/{self.limit:.6g}"

    def sentence(self) -> str:
        """What it means that this budget ended the sweep."""
        if self.name == "target":
            return f"budget.target {self.limit:g} is reached: {self.used:.5g}"
        if self.name == "plateau":
            return f"budget.plateau: {self.used:g} trials in a row have brought no new best"
        need = f", and an epoch takes about {self.epoch:.3g}" if self.epoch and (self.used or 0) < self.limit else ""
        return f"budget.{self.name} is used up: {self.used:.4g} of {self.limit:g}{need}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"name": self.name, "used": self.used, "limit": self.limit}


def seconds_left(before: BudgetState, now: BudgetState, elapsed: float) -> float | None:
    """Seconds until a budget is used up at the pace of the last ``elapsed`` seconds; None for what is no amount.

    Args:
        before:
            How far it was used then.
        now:
            How far it is used now.
        elapsed:
            Seconds between the two.
    """
    if now.name == "hours":
        return max(now.limit - (now.used or 0.0), 0.0) * HOUR
    pace = ((now.used or 0.0) - (before.used or 0.0)) / elapsed
    if now.name not in ("epochs", "gpu_hours") or pace <= 0:
        return None
    return max(now.limit - (now.used or 0.0), 0.0) / pace


def states(budget: BudgetConfig, spent: Spent, goals: Goals) -> tuple[BudgetState, ...]:
    """How far the budgets that are set are used."""
    plateau = budget.plateau.trials if budget.plateau else None
    known = (
        ("epochs", spent.epochs, budget.epochs, 0.0),
        ("hours", spent.wall_seconds / HOUR, budget.hours, spent.epoch_seconds / HOUR),
        ("gpu_hours", spent.gpu_seconds / HOUR, budget.gpu_hours, spent.epoch_gpu_seconds / HOUR),
        ("target", goals.best, budget.target, 0.0),
        ("plateau", goals.idle, plateau, 0.0),
    )
    return tuple(BudgetState(name, used, limit, epoch) for name, used, limit, epoch in known if limit is not None)


def read_states(budget: BudgetConfig, study: optuna.Study, *, spared: Container[int] = ()) -> tuple[BudgetState, ...]:
    """The same from a study that another driver may be at work on; its newest half minute may be missing."""
    trials = study.get_trials(deepcopy=False)
    sums = TrainingSums(trials)
    spent = Spent(sums.epochs, sums.seconds, sums.gpu_seconds, noted_seconds(study))
    maximize = study.directions[0] == StudyDirection.MAXIMIZE  # of several goals no budget asks
    return states(budget, spent, Goals(budget, lambda a, b: a > b if maximize else a < b, trials, spared=spared))
