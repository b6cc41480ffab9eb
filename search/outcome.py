"""What a trial is, by its last result: COMPLETE, PRUNED or FAIL, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from optuna.trial import TrialState
from ray.tune.result import AUTO_RESULT_KEYS, DEBUG_METRICS, DEFAULT_EXPERIMENT_INFO_KEYS, DONE

from search.crashes import CRASH
from search.schedulers.keys import TIME_ATTR
from trainable.failures import DIVERGED, FAILURE, FAILURE_KIND

_NO_METRICS = {*AUTO_RESULT_KEYS, *DEBUG_METRICS, *DEFAULT_EXPERIMENT_INFO_KEYS, DONE, TIME_ATTR, "should_checkpoint"}


class Outcome(NamedTuple):
    """What a trial is told to be.

    Attributes:
        state:
            COMPLETE, PRUNED or FAIL.
        values:
            The optimized values of the last step, if they are finite numbers.
        reason:
            Why it is FAIL.
        kind:
            The kind of that reason.
    """

    state: TrialState
    values: tuple[float, ...] | None
    reason: str | None = None
    kind: str | None = None


def judge(result: Mapping[str, Any] | None, metrics: Sequence[str], epochs: int) -> Outcome:
    """What a trial is, by its last result.

    Args:
        result:
            The last step, as the trainable reported it; None where there was none.
        metrics:
            Keys of the optimized values.
        epochs:
            Epochs of a full training.
    """
    if not result:
        return Outcome(TrialState.FAIL, None, "ended before its first epoch", CRASH)
    if result.get(FAILURE):
        return Outcome(TrialState.FAIL, None, str(result[FAILURE]), result.get(FAILURE_KIND))
    values = tuple(float(result.get(metric, math.nan)) for metric in metrics)
    wrong = [metric for metric, value in zip(metrics, values, strict=True) if not math.isfinite(value)]
    if wrong:
        reason = f"{wrong[0]} is no finite number at epoch {result[TIME_ATTR]}"
        return Outcome(TrialState.FAIL, None, reason, DIVERGED)
    finished = result[TIME_ATTR] >= epochs
    return Outcome(TrialState.COMPLETE if finished else TrialState.PRUNED, values)


def metrics_of(result: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers that a trainable reported, nested ones as ``a/b``, without what Ray adds to a result."""
    return {
        key: value if isinstance(value, int | float) else float(value)  # numpy's become plain numbers
        for key, value in result.items()
        if isinstance(value, int | float | np.floating | np.integer)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and key.partition("/")[0] not in _NO_METRICS
    }
