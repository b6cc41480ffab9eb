"""The front of a sweep with several goals: the trials that no other one beats in all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.goals.dominance import Losses, ranks
from search.goals.record import values_by_epoch
from search.samplers.keys import START

if TYPE_CHECKING:
    import optuna

    from search.goals.config import Objective


LONG_ENOUGH = 2
"""A trial of less than one part in so many of another's epochs says too little of how it would have ended: early epochs
rank trials otherwise than late ones (decision 26)."""


class FrontTrial(NamedTuple):
    """A trial of the front.

    Attributes:
        trial:
            The trial.
        epoch:
            Its last epoch.
        values:
            Its values of the goals there, in the order of the goals.
    """

    trial: FrozenTrial
    epoch: int
    values: tuple[float, ...]

    def describe(self, goals: Sequence[Objective]) -> str:
        """The trial in a few words."""
        shown = ", ".join(f"{goal.metric} {value:.5g}" for goal, value in zip(goals, self.values, strict=True))
        return f"trial {self.trial.number} ({shown})"


def has_several_goals(study: optuna.Study) -> bool:
    """Whether a study has a front instead of a best trial."""
    return len(study.directions) > 1


def pareto_front(study: optuna.Study) -> list[FrontTrial]:
    """The trials that nobody dominates, the best of the first goal first.

    Of the COMPLETE trials; where none is, of those that were trained longest: values after fewer epochs are other
    quantities. Where trial 0 alone is COMPLETE, which the rungs may have been spared, and others trained half as long
    or more, it stands among the longest of them with its values at their epoch.
    """
    reached = _comparable(study.get_trials(deepcopy=False))
    if not reached:
        return []
    losses = _losses(reached, study.directions)
    leading = [each for each, rank in zip(reached, ranks(losses), strict=True) if rank == 0]
    order = np.lexsort((*_losses(leading, study.directions).T[::-1],))
    return [leading[place] for place in order]


def front_lines(study: optuna.Study, goals: Sequence[Objective]) -> tuple[str, ...]:
    """The trials of the front in words; none where there are not several goals."""
    return tuple(each.describe(goals) for each in pareto_front(study)) if goals else ()


def front_table(study: optuna.Study, goals: Sequence[Objective]) -> pd.DataFrame:
    """One row per trial of the front: ``number``, ``state``, ``epochs``, the goals by name, then ``params_*``."""
    front = pareto_front(study)
    rows = [_row(each, goals) for each in front]
    fixed = ["number", "state", "epochs", *(goal.metric for goal in goals)]
    params = list(dict.fromkeys(name for row in rows for name in row if name not in fixed))
    return pd.DataFrame(rows, columns=[*fixed, *params])


def _row(each: FrontTrial, goals: Sequence[Objective]) -> dict[str, Any]:
    return {
        "number": each.trial.number,
        "state": each.trial.state.name,
        "epochs": each.epoch,
        **{goal.metric: value for goal, value in zip(goals, each.values, strict=True)},
        **{f"params_{name}": value for name, value in each.trial.params.items()},
    }


def _comparable(trials: Iterable[FrozenTrial]) -> list[FrontTrial]:
    reached = []
    for trial in trials:
        values = values_by_epoch(trial)
        if trial.state != TrialState.FAIL and values and np.isfinite(values[max(values)]).all():
            reached.append(FrontTrial(trial, max(values), values[max(values)]))
    complete = [each for each in reached if each.trial.state == TrialState.COMPLETE]
    others = _longest(each for each in reached if each.trial.number != START)
    if others and [each.trial.number for each in complete] == [START] and _may_rival(others[0], complete[0]):
        epoch, values = others[0].epoch, values_by_epoch(complete[0].trial)
        return [FrontTrial(complete[0].trial, epoch, values[epoch]), *others] if epoch in values else complete
    return _longest(complete or reached)


def _may_rival(other: FrontTrial, start: FrontTrial) -> bool:
    return other.epoch < start.epoch <= LONG_ENOUGH * other.epoch


def _longest(reached: Iterable[FrontTrial]) -> list[FrontTrial]:
    found = list(reached)
    longest = max((each.epoch for each in found), default=0)
    return [each for each in found if each.epoch == longest]


def _losses(trials: Sequence[FrontTrial], directions: Sequence[StudyDirection]) -> Losses:
    signs = [-1.0 if direction == StudyDirection.MAXIMIZE else 1.0 for direction in directions]
    return np.array([each.values for each in trials], dtype=np.float64).reshape(len(trials), len(signs)) * signs
