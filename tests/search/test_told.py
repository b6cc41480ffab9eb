from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from optuna.trial import TrialState

from search.told import told_values


@pytest.mark.parametrize(
    ("state", "value", "reported", "told"),
    [
        (TrialState.COMPLETE, 0.3, {1: 0.1, 2: 0.2}, [0.3]),
        (TrialState.COMPLETE, (0.3, 7.0), {}, [0.3, 7.0]),
        (TrialState.PRUNED, None, {2: 0.2, 9: 0.1, 1: 0.4}, [0.1]),
        (TrialState.PRUNED, 0.9, {2: 0.2}, [0.2]),
        (TrialState.PRUNED, None, {}, None),
        (TrialState.FAIL, None, {1: 0.1}, None),
        (TrialState.COMPLETE, (0.3, math.nan), {}, None),
    ],
)
def test_what_is_told(
    state: TrialState, value: float | Sequence[float] | None, reported: dict[int, float], told: list[float] | None
) -> None:
    assert told_values(state, value, reported) == told
