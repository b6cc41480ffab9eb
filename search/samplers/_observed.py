"""From a study's trials to the values at rungs that a model of learning curves is fitted to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from search.samplers._genes import contains
from search.samplers.keys import PAUSED_KEY
from trainable.failures import DIVERGED, FAILURE_KIND

_MOST_RUNGS = 5
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True, slots=True)
class Observed:
    """A trial and its values at rungs, larger is better, never empty."""

    trial: FrozenTrial
    values: Mapping[int, float]


def common_space(trials: Iterable[FrozenTrial]) -> dict[str, BaseDistribution]:
    """Return the parameters that all trials with values have, each with its newest distribution.

    Optuna's ``IntersectionSearchSpace`` leaves out trials that wait, which may be all there are.
    """
    space: dict[str, BaseDistribution] | None = None
    for trial in sorted(trials, key=lambda each: -each.number):
        if trial.intermediate_values or trial.state == TrialState.COMPLETE:
            known = trial.distributions if space is None else space
            space = {name: distribution for name, distribution in known.items() if name in trial.distributions}
    return space or {}


def is_covered(trial: FrozenTrial, space: Mapping[str, BaseDistribution]) -> bool:
    """Whether the trial has a legal value for every parameter of the space."""
    params = trial.params
    return all(name in params and contains(distribution, params[name]) for name, distribution in space.items())


def observed(
    trials: Iterable[FrozenTrial], space: Mapping[str, BaseDistribution], most: int, *, maximize: bool
) -> list[Observed]:
    """Return the trials that have values to compare, in order of number.

    Rungs are the steps at which trials ended or wait, the five most frequent and always the last. A trial counts at
    every rung that it reached, also while it trains. One that told a value without steps counts at the last rung. One
    that diverged, or breaks a constraint and was never trained, counts at the first, with the worst value there: it
    must be known to be bad.

    Args:
        trials: Any trials of a study.
        space: Parameters that a trial must have, with legal values.
        most: About as many values are kept: the better half of the trials and the newest of the rest.
        maximize: Direction of the study.
    """
    sign = 1.0 if maximize else -1.0
    covered = [trial for trial in trials if is_covered(trial, space)]
    rungs = _rungs(covered)
    found = [Observed(trial, values) for trial in covered if (values := _values(trial, rungs, sign))]
    worst = min((each.values[rungs[0]] for each in found if rungs[0] in each.values), default=None)
    if worst is not None:
        found += [Observed(trial, {rungs[0]: worst}) for trial in covered if diverged(trial) or is_infeasible(trial)]
    return sorted(_thinned(found, most), key=lambda each: each.trial.number)


def _rungs(trials: Sequence[FrozenTrial]) -> list[int]:
    """Steps at which trials stand, rising; [0] where none has steps."""
    counts: Counter[int] = Counter()
    for trial in trials:
        if (trial.state in _ENDED or trial.user_attrs.get(PAUSED_KEY)) and trial.last_step is not None:
            counts[trial.last_step] += 1
    if not counts:
        return [0]
    frequent = sorted(counts, key=lambda step: (-counts[step], -step))[:_MOST_RUNGS]
    return sorted({*frequent, max(counts)})


def _values(trial: FrozenTrial, rungs: Sequence[int], sign: float) -> dict[int, float]:
    """The trial's finite values at the rungs."""
    if trial.state == TrialState.FAIL:
        return {}
    values = {step: trial.intermediate_values[step] for step in rungs if step in trial.intermediate_values}
    if trial.state == TrialState.COMPLETE and trial.value is not None:
        last = trial.last_step
        if last is None:
            values[rungs[-1]] = trial.value
        elif last in rungs:  # what the objective returned need not be what it reported
            values[last] = trial.value
    return {step: sign * value for step, value in values.items() if math.isfinite(value)}


def diverged(trial: FrozenTrial) -> bool:
    """Whether the trial failed by divergence: that is its hyp's doing, other failures are the machine's."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get(FAILURE_KIND) == DIVERGED


def is_infeasible(trial: FrozenTrial) -> bool:
    """Whether the trial ended without a value because it breaks a constraint (Optuna's, above 0)."""
    return (
        trial.state == TrialState.PRUNED
        and not trial.intermediate_values
        and any(excess > 0 for excess in trial.constraints.values())
    )


def _thinned(found: Sequence[Observed], most: int) -> list[Observed]:
    if sum(len(each.values) for each in found) <= most:
        return list(found)
    ranked = sorted(found, key=lambda each: (-max(each.values), -each.values[max(each.values)], each.trial.number))
    better = _taken(ranked, most / 2)
    rest = sorted(ranked[len(better) :], key=lambda each: -each.trial.number)
    return better + _taken(rest, most / 2)


def _taken(found: Sequence[Observed], most: float) -> list[Observed]:
    """The first of them, until they have so many values."""
    taken, count = [], 0
    for each in found:
        if count >= most:
            break
        taken.append(each)
        count += len(each.values)
    return taken
