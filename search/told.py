"""What Optuna is told as the values of a trial that has ended; without Ray, which reading a study must not load."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from optuna.trial import TrialState


def told_values(
    state: TrialState, value: float | Sequence[float] | None, reported: Mapping[int, float]
) -> list[float] | None:
    """What Optuna is told as the values of a trial that has ended; None where there are none, or one is NaN.

    Args:
        state:
            How it ended; a PRUNED one has the last value that it reported.
        value:
            The value, or values, that it ended with.
        reported:
            What it reported, by epoch.
    """
    if state == TrialState.PRUNED:
        value = reported[max(reported)] if reported else None
    values = [value] if isinstance(value, int | float) else list(value or ())
    return values if values and not any(map(math.isnan, values)) else None
