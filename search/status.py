"""How far a sweep is, read from its study."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from optuna.trial import TrialState

from search.budget.report import BudgetState, read_states
from search.edges import Edge, edges_of
from search.goals.front import front_table
from search.keys import TARGET
from search.known.marks import is_result
from search.results import (
    REJECTED_STATE,
    SmallerBatch,
    best_trial,
    count_states,
    read_run,
    results_table,
    smaller_batches,
)
from search.samplers.keys import is_paused
from search.space import load_space
from search.stages import StageState, stage_states
from search.storage import Usage, checkpoint_root, checkpoint_usage
from search.yields import member_yields


@dataclass(frozen=True)
class SweepStatus:
    """How far a sweep is.

    Attributes:
        run_dir:
            The sweep's folder.
        name, metric, epochs:
            The sweep's name, what it optimizes, and the epochs of a full training.
        planned:
            How many trials there shall be.
        states:
            How many trials are in which state, imported results apart.
        paused:
            How many of the RUNNING ones wait at a rung.
        imported:
            How many imported results there are.
        waiting:
            How many trials wait to be started.
        best:
            Number, value and epoch of the best trial; None before the first epoch.
        table:
            One row per trial, see :func:`search.results.results_table`.
        path:
            The path of the trainings, ``fast`` or ``exact``, that every figure belongs to.
        smaller_batches:
            Trials that GPU memory did not let have the batch that was asked for.
        usage:
            What the sweep's checkpoints take; None where their storage cannot be listed.
        budget:
            How far each budget is used.
        edges:
            Values of the best trial at the edge of their range.
        stages:
            How far each stage is, where the sweep has stages.
        goals:
            Names of the goals, where there are several.
        front:
            Where there are several: number, epochs, goals and parameters of each trial that nobody dominates.
        yields:
            One row per member, see :func:`search.yields.member_yields`.
    """

    run_dir: Path
    name: str
    metric: str
    epochs: int
    planned: int
    states: dict[str, int]
    paused: int
    imported: int
    waiting: int
    best: dict[str, Any] | None
    table: pd.DataFrame
    path: str
    smaller_batches: tuple[SmallerBatch, ...]
    usage: Usage | None
    yields: pd.DataFrame
    budget: tuple[BudgetState, ...] = ()
    edges: tuple[Edge, ...] = ()
    stages: tuple[StageState, ...] = ()
    goals: tuple[str, ...] = ()
    front: tuple[dict[str, Any], ...] = ()

    @property
    def finished(self) -> bool:
        """Whether all trials that were planned have ended."""
        started = sum(self.states.values()) - self.states.get(REJECTED_STATE, 0)
        return started >= self.planned and TrialState.RUNNING.name not in self.states

    @property
    def epochs_run(self) -> int:
        """Epochs that were trained in all, repeated ones, too."""
        return int(self.table["epochs_run"].sum())

    @property
    def epochs_repeated(self) -> int:
        """How many of them were trained again, because a checkpoint was lost."""
        run = self.table[self.table["epochs_run"] > 0]  # imported results took none
        return self.epochs_run - int(run["epochs"].sum())

    def rows(self) -> list[dict[str, Any]]:
        """The table row by row, as JSON can hold it; what a trial lacks is None."""
        return _rows(self.table)

    def yield_rows(self) -> list[dict[str, Any]]:
        """What each member yielded, as JSON can hold it."""
        return _rows(self.yields)

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it; NaN becomes None."""
        return {
            "run_dir": str(self.run_dir),
            "name": self.name,
            "metric": self.metric,
            "path": self.path,
            "epochs": self.epochs,
            "planned": self.planned,
            "states": self.states,
            "paused": self.paused,
            "imported": self.imported,
            "waiting": self.waiting,
            "best": self.best,
            "objectives": list(self.goals),
            "front": list(self.front),
            "epochs_run": self.epochs_run,
            "epochs_repeated": self.epochs_repeated,
            "checkpoints": self.usage.as_dict() if self.usage else None,
            "budget": [each.as_dict() for each in self.budget],
            "smaller_batches": [each._asdict() for each in self.smaller_batches],
            "edges": [edge.as_dict() for edge in self.edges],
            "stages": [asdict(stage) for stage in self.stages],
            "samplers": self.yield_rows(),
            "trials": self.rows(),
        }


def sweep_status(run_dir: str | Path) -> SweepStatus:
    """How far the sweep in ``run_dir`` is; its driver may be at work.

    Raises:
        InputError: The folder holds no sweep.
    """
    run_dir = Path(run_dir).absolute()
    config, study = read_run(run_dir)
    best = best_trial(study)
    found = {"number": best.trial.number, "value": best.value, "epoch": best.epoch} if best else None
    trials = study.get_trials(deepcopy=False)
    planned = study.user_attrs.get(TARGET, config.trials)
    return SweepStatus(
        run_dir=run_dir,
        name=config.name,
        metric=config.metric,
        epochs=config.epochs,
        planned=planned,
        states=count_states(study),
        paused=sum(is_paused(trial) for trial in trials),
        imported=sum(map(is_result, trials)),
        waiting=sum(trial.state == TrialState.WAITING for trial in trials),
        best=found,
        table=results_table(study, config.objectives),
        path=config.settings().path,
        smaller_batches=smaller_batches(study, config),
        usage=checkpoint_usage(checkpoint_root(config, run_dir, study.user_attrs.get("key", ""))),
        yields=member_yields(study),
        budget=read_states(config.budget, study, spared=config.scheduler.spared),
        edges=edges_of(best, load_space(config.space)) if best else (),
        stages=stage_states(config.stages, study.get_trials(deepcopy=False)),
        goals=tuple(goal.metric for goal in config.objectives),
        front=tuple(_rows(front_table(study, config.objectives))) if config.objectives else (),
    )


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): _plain(value) for key, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:  # noqa: ANN401  a cell of the table
    if value is None or (isinstance(value, float) and not math.isfinite(value)) or value is pd.NaT or value is pd.NA:
        return None
    return value.item() if hasattr(value, "item") else value
