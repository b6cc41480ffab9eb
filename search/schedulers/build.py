"""From a sweep's configuration and its study to the scheduler that Ray is given."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, Protocol

from optuna.trial import FrozenTrial, TrialState
from ray.tune.schedulers import FIFOScheduler

from search.goals.config import Objective
from search.goals.record import values_by_epoch
from search.keys import LAST
from search.known.marks import is_result
from search.samplers.keys import PAUSED_KEY, START
from search.schedulers.config import SchedulerConfig
from search.schedulers.front import FrontRungs, FrontScheduler
from search.schedulers.median import MedianRule
from search.schedulers.pasha import ProgressiveRungs
from search.schedulers.promoting import Desk, PromotingScheduler
from search.schedulers.rungs import Ladder, Past, Rungs, rung_levels
from search.schedulers.stopping import RuleScheduler, StudyASHA


class Plan(Protocol):
    """What a scheduler knows of a sweep."""

    @property
    def epochs(self) -> int:
        """Epochs of a full training."""
        ...

    @property
    def metric(self) -> str:
        """Key of the value in a result."""
        ...

    @property
    def mode(self) -> Literal["max", "min"]:
        """Whether more or less of it is better."""
        ...

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """Several goals, of which ``metric`` and ``mode`` are the first; none where there is one."""
        ...


def build_rungs(
    config: SchedulerConfig, plan: Plan, history: Iterable[FrozenTrial] = (), *, foreign: Collection[int] = ()
) -> Ladder[Any, Any] | None:
    """The rungs at which trials wait, filled from the study; None for a scheduler that never pauses.

    Args:
        config:
            The ``scheduler`` part of the sweep's configuration.
        plan:
            The sweep.
        history:
            The trials of the study.
        foreign:
            Numbers of those that another driver holds, which never wait here.
    """
    levels = rung_levels(plan.epochs, config.first_rung(plan.epochs), config.reduction_factor)
    rungs: Ladder[Any, Any]
    match config.type:
        case "asha" if plan.objectives:
            rungs = FrontRungs(levels, config.reduction_factor, plan.objectives)
        case "asha":
            rungs = Rungs(levels, config.reduction_factor, plan.mode)
        case "pasha":
            rungs = ProgressiveRungs(levels, config.reduction_factor, plan.mode, epsilon=config.ranking_epsilon)
        case _:
            return None
    several = bool(plan.objectives)
    known = (past(trial, rungs.levels, several=several) for trial in sorted(history, key=lambda t: t.number))
    for number in config.spared:
        rungs.release(number)
    rungs.load(each._replace(paused_at=None) if each.number in foreign else each for each in known)
    return rungs


def build_scheduler(
    config: SchedulerConfig,
    plan: Plan,
    history: Iterable[FrozenTrial] = (),
    *,
    rungs: Ladder[Any, Any] | None = None,
    desk: Desk | None = None,
) -> FIFOScheduler:
    """The scheduler that a sweep's configuration names.

    Args:
        config:
            The ``scheduler`` part of the sweep's configuration.
        plan:
            The sweep.
        history:
            Trials of earlier drivers; their values count.
        rungs:
            What :func:`build_rungs` made of the same; it has the history in it.
        desk:
            Who hands out trials; needed where there are rungs.
    """
    finish_best, spared = config.finish_best and config.type == "asha", config.spared
    if isinstance(rungs, FrontRungs) and desk is not None:
        metrics = [goal.metric for goal in plan.objectives]
        return FrontScheduler(rungs, desk, metrics=metrics, epochs=plan.epochs, finish_best=finish_best, spared=spared)
    if rungs is not None and desk is not None:
        return PromotingScheduler(
            rungs, desk, metric=plan.metric, epochs=plan.epochs, finish_best=finish_best, spared=spared
        )
    first = config.first_rung(plan.epochs)
    if config.type == "asha_stop":
        return StudyASHA(
            epochs=plan.epochs,
            metric=plan.metric,
            mode=plan.mode,
            grace_period=first,
            reduction_factor=config.reduction_factor,
            history=history,
        )
    if config.type == "median":
        rule = MedianRule(first, config.min_samples, plan.mode)
        rule.load(past(trial) for trial in sorted(history, key=lambda trial: trial.number))
        return RuleScheduler(rule, metric=plan.metric)
    return FIFOScheduler()  # type: ignore[no-untyped-call]


def past(trial: FrozenTrial, levels: Collection[int] = (), *, several: bool = False) -> Past[Any]:
    """What the study tells of a trial that an earlier driver had.

    A kill can come after the value of a rung was stored and before the decision was: such a trial waits, and is
    promoted if it deserves it.
    """
    values: Mapping[int, Any] = values_by_epoch(trial) if several else trial.intermediate_values
    judged = trial.number != START and not is_result(trial)
    if trial.state != TrialState.RUNNING or not values:
        return Past(trial.number, values, judged=judged)
    newest = max(values)
    paused = trial.user_attrs.get(PAUSED_KEY) == newest
    undecided = newest in levels and trial.user_attrs.get(LAST, {}).get("epoch", 0) < newest
    return Past(trial.number, values, newest if paused or undecided else None, judged)
