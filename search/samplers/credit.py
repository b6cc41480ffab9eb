"""What a trial is worth to its author: whether it improved on the best known at an equal epoch."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from optuna.trial import FrozenTrial, TrialState

from search.samplers._population import stands

_END = sys.maxsize
"""The step at which final values are compared: COMPLETE trials ran equally long, whatever steps they reported."""


def rewards(trials: Sequence[FrozenTrial], *, maximize: bool) -> dict[int, float]:
    """Return the reward of each trial that can be judged, by number: 1 for a new best, else 0.

    A trial is judged at one step: the highest that it reached and an earlier trial did, too. It is a new best if its
    value there is better than those of all earlier trials in ``trials``. A trial that failed gets 0. A trial that
    trains, and one that nobody can be compared with, such as the first, are not judged.

    "Earlier" goes by the trials' numbers, because a study does not say when a value was reported: so a trial counts
    as an improvement over what was started before it, and the same study always gives the same rewards.

    Args:
        trials: In order of number; those in the list are all that is known.
        maximize: Direction of the study.
    """
    sign = 1.0 if maximize else -1.0
    told = [_told(trial) for trial in trials]
    steps = sorted({each.last for each in told if each.judged}, reverse=True)
    best: dict[int, float] = {}
    found: dict[int, float] = {}
    for each in told:
        if each.failed:
            found[each.number] = 0.0
            continue
        for step in steps:
            value = each.at(step)
            if value is None:
                continue
            merit, known = sign * value, best.get(step)
            if known is not None and each.judged and each.number not in found:
                found[each.number] = float(merit > known)  # at the highest common step, for they come from above
            if known is None or merit > known:
                best[step] = merit
    return found


class _Told(NamedTuple):
    """What a trial told, taken from it once: a decision of the portfolio looks at hundreds."""

    number: int
    judged: bool
    failed: bool
    last: int
    values: Mapping[int, float]
    final: float | None

    def at(self, step: int) -> float | None:
        """Return the finite value at ``step``, None where there is none."""
        value = self.final if step == _END else self.values.get(step)
        return value if value is not None and math.isfinite(value) else None


def _told(trial: FrozenTrial) -> _Told:
    values, final = trial.intermediate_values, trial.value
    step = max(values) if values else None
    newest = final if step is None else values[step]
    still = stands(trial)
    is_sound = newest is not None and math.isfinite(newest) and (final is None or math.isfinite(final))
    ended = trial.state == TrialState.COMPLETE or step is None
    return _Told(
        number=trial.number,
        judged=still and is_sound,
        failed=trial.state == TrialState.FAIL or (still and not is_sound),
        last=_END if ended or step is None else step,
        values=values,
        final=final if ended else None,
    )
