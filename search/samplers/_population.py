"""Which trials can be parents, and how trials that stand at different epochs are compared."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from search.samplers.keys import PAUSED_KEY

PARENT_STATES = (TrialState.COMPLETE, TrialState.PRUNED)
"""Trials in these states have ended with a value."""


@dataclass(frozen=True, slots=True)
class Individual:
    """A possible parent.

    Attributes:
        number: The trial's number.
        fitness: Its value at the rung of comparison, negated where the study minimises: larger is better.
        params: Its genes.
        distributions: What each gene was drawn from.
    """

    number: int
    fitness: float
    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]


def stands(trial: FrozenTrial) -> bool:
    """Whether the trial stands still with a value: it ended, or it is paused at a rung (DESIGN.md, decision 5)."""
    if trial.state == TrialState.RUNNING:
        return trial.user_attrs.get(PAUSED_KEY) is not None
    return trial.state in PARENT_STATES


def as_complete(trial: FrozenTrial, value: float) -> FrozenTrial:
    """Return a copy that ended with ``value``, for a sampler that takes no other; the original is as it was."""
    shown = copy.copy(trial)
    shown.state, shown.value = TrialState.COMPLETE, value
    return shown


def ranked(trials: Iterable[FrozenTrial], n: int, *, maximize: bool) -> list[Individual]:
    """Return the comparable trials, best first, the older one first among equals.

    Trials that all stand at the same step (or report no steps) are compared by their final values. Otherwise
    the rung of comparison is the highest step that at least ``n`` trials reached, each trial counts with its
    value there, and trials that did not reach it are left out. Trials that diverged are never parents.

    Args:
        trials: Trials of which :func:`stands` is true.
        n: How many parents are wanted.
        maximize: Direction of the study.

    Source: DESIGN.md, decision 5; YOLOv5 ``train.py`` (``np.argsort(-fitness(x))``) ranks equal epochs only.
    """
    sign = 1.0 if maximize else -1.0
    individuals = [
        Individual(trial.number, sign * value, trial.params, trial.distributions)
        for trial, value in _compared([trial for trial in trials if sound(trial)], n)
    ]
    return sorted(individuals, key=lambda individual: (-individual.fitness, individual.number))


def _compared(trials: Sequence[FrozenTrial], n: int) -> list[tuple[FrozenTrial, float]]:
    """Pair each trial that can be compared with the value that it is compared by."""
    if len({trial.last_step for trial in trials}) <= 1:
        values = [final_value(trial) for trial in trials]
    else:
        rung = _rung(trials, n)
        values = [value_at(trial, rung) for trial in trials]
    return [
        (trial, value)
        for trial, value in zip(trials, values, strict=True)
        if value is not None and math.isfinite(value)
    ]


def _rung(trials: Sequence[FrozenTrial], n: int) -> int:
    """Return the highest step that at least ``n`` trials (all of them, if fewer) reached.

    Trials may report at steps of their own, so that no step is common to enough of them: then it is the step
    which most of them share.
    """
    reported = Counter(
        step for trial in trials for step, value in trial.intermediate_values.items() if math.isfinite(value)
    )
    everywhere = sum(reached_every_rung(trial) for trial in trials)
    wanted = min(n, len(trials))
    common = [step for step, count in reported.items() if count + everywhere >= wanted]
    return max(common) if common else max(reported, key=lambda step: (reported[step], step))


def value_at(trial: FrozenTrial, rung: int) -> float | None:
    """Return the trial's value at ``rung``, None where it did not get there.

    At its own last step that is the final value: what the objective returned need not be what it reported.
    """
    if reached_every_rung(trial) or trial.last_step == rung:
        return final_value(trial)
    return trial.intermediate_values.get(rung)


def reached_every_rung(trial: FrozenTrial) -> bool:
    """Whether the trial ran to its end without telling steps, as an imported result does."""
    return trial.state == TrialState.COMPLETE and not trial.intermediate_values


def final_value(trial: FrozenTrial) -> float | None:
    """Return what the trial was told with, or its last report where it was pruned without a value or is paused."""
    if trial.value is not None or trial.last_step is None:
        return trial.value
    return trial.intermediate_values[trial.last_step]


def sound(trial: FrozenTrial) -> bool:
    """Whether the trial stands with finite numbers: NaN and inf mean that it diverged."""
    value = final_value(trial)
    reported = trial.intermediate_values
    last = reported[max(reported)] if reported else 0.0
    return value is not None and math.isfinite(value) and math.isfinite(last)
