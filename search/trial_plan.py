"""TrialPlan: what the trials of a sweep share, and the configuration that each of them gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optuna.trial import FrozenTrial

from search.goals.config import Objective
from search.space import Space
from trainable.costs import COSTS


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
            **self.costs,
        }

    @property
    def costs(self) -> dict[str, list[str]]:
        """The costs among the metrics, which a trial measures where it is asked to."""
        costs = [name for name in self.metrics if name in COSTS]
        return {"costs": costs} if costs else {}
