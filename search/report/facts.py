"""What a report is made of, read from the study once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from search.config import SweepConfig
from search.confirm.ranks import correlation
from search.edges import Edge, edges
from search.goals.front import FrontTrial, pareto_front
from search.goals.record import first_goal, is_rejected
from search.keys import LAST
from search.results import BestTrial, best_trial, results_table
from search.space import Space

FEWEST_RANKED = 5
"""A rank correlation of fewer trials says nothing."""


@dataclass(frozen=True)
class Facts:
    """A sweep, as far as a report shows it.

    Attributes:
        config, space:
            What was searched.
        trials:
            All that were started, in their order.
        table:
            One row per trial, see :func:`search.results.results_table`.
        best:
            The best trial, None before the first epoch.
        maximize:
            Whether more of the metric (of several goals: of the first) is better.
        front:
            Where there are several goals: the trials that nobody dominates.
        edges:
            Values of the best trial at a bound that could be widened.
    """

    config: SweepConfig
    space: Space
    trials: tuple[FrozenTrial, ...]
    table: pd.DataFrame
    best: BestTrial | None
    maximize: bool
    front: tuple[FrontTrial, ...] = ()
    edges: tuple[Edge, ...] = ()

    @property
    def states(self) -> Mapping[str, int]:
        """How many trials are in which state."""
        return dict(Counter(trial.state.name for trial in self.trials))

    @property
    def epochs_run(self) -> int:
        """Epochs that were trained in all, repeated ones, too."""
        return int(self.table["epochs_run"].sum())

    def better(self, value: float, than: float) -> bool:
        """Whether one value of the metric beats another."""
        return value > than if self.maximize else value < than


def gather(study: optuna.Study, config: SweepConfig, space: Space) -> Facts:
    """Read what a report shows; the sweep's driver may be at work."""
    trials = tuple(t for t in study.get_trials(deepcopy=False) if t.state != TrialState.WAITING and not is_rejected(t))
    several = bool(config.objectives)
    return Facts(
        config,
        space,
        trials,
        results_table(study, config.objectives),
        None if several else best_trial(study),
        config.goals[0].mode == "max",
        tuple(pareto_front(study)) if several else (),
        () if several else tuple(edges(study, space)),
    )


def curve(trial: FrozenTrial) -> tuple[list[int], list[float]]:
    """Epochs and finite values of a trial, by epoch."""
    points = [(e, v) for e, v in sorted(first_goal(trial).items()) if math.isfinite(v)]
    return [epoch for epoch, _ in points], [value for _, value in points]


def progress(facts: Facts) -> tuple[list[int], list[float]]:
    """Best value of a full training so far, over the epochs trained until then.

    Trials count in the order in which they ended. Only values of the last epoch are compared: those of earlier ones are
    another quantity.
    """
    ended = sorted(
        (trial for trial in facts.trials if trial.state.is_finished() and trial.datetime_complete),
        key=lambda trial: (trial.datetime_complete, trial.number),
    )
    spent = list(accumulate(_epochs(trial) for trial in ended))
    x: list[int] = []
    y: list[float] = []
    for epochs, trial in zip(spent, ended, strict=True):
        value = first_goal(trial).get(facts.config.epochs)
        if trial.state == TrialState.COMPLETE and value is not None and (not y or facts.better(value, y[-1])):
            x.append(epochs)
            y.append(value)
    return (x + spent[-1:], y + y[-1:]) if x else (x, y)


def _epochs(trial: FrozenTrial) -> int:
    last = trial.user_attrs.get(LAST, {})
    return int(last.get("epochs_run", last.get("epoch", 0)))


@dataclass(frozen=True)
class RungFacts:
    """An epoch at which trials ended or waited.

    Attributes:
        epoch:
            The epoch.
        reached:
            How many trials reached it.
        ended:
            How many went no further.
        correlation:
            Spearman's rank correlation of the values there with those of the last epoch; None where fewer than five
            trials, or only equal ones, have both.
    """

    epoch: int
    reached: int
    ended: int
    correlation: float | None


def rungs(facts: Facts) -> list[RungFacts]:
    """The epochs at which trials ended, with what their ranking was worth."""
    lasts = Counter(max(first_goal(trial)) for trial in facts.trials if first_goal(trial))
    found = []
    for epoch in sorted(lasts):
        reached = sum(count for last, count in lasts.items() if last >= epoch)
        found.append(RungFacts(epoch, reached, lasts[epoch], _correlation(facts, epoch)))
    return found


def _correlation(facts: Facts, epoch: int) -> float | None:
    last = facts.config.epochs
    pairs = [
        (values[epoch], values[last])
        for trial in facts.trials
        if {epoch, last} <= (values := first_goal(trial)).keys() and epoch != last
    ]
    found = correlation(f"epoch {epoch}", f"epoch {last}", pairs)
    return found.rho if found.n >= FEWEST_RANKED else None


def importances(study: optuna.Study) -> dict[str, float]:
    """How much each parameter mattered among the full trainings, the most important first; empty where nobody can tell.

    PED-ANOVA (Watanabe et al. 2023, https://arxiv.org/abs/2304.10255) as Optuna has it: which parameters set the best
    tenth apart from the rest. It needs some full trainings, and parameters that all of them have.
    """
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if len(complete) < 2 * FEWEST_RANKED or len(study.directions) > 1:
        return {}
    try:
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
    except (ValueError, RuntimeError):  # parameters without variance, or none that all trials share
        return {}
