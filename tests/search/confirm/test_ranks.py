from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from search.confirm.ranks import correlation, rung_to_final, sweep_to_confirmed
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_results import add

FINITE = st.floats(-10, 10, width=16)


@given(st.lists(st.tuples(FINITE, FINITE), min_size=3, max_size=12))
def test_it_is_pearsons_correlation_of_the_ranks(pairs: list[tuple[float, float]]) -> None:
    def ranks(values: list[float]) -> list[float]:
        return [sum(v < w for v in values) + (sum(v == w for v in values) + 1) / 2 for w in values]

    found = correlation("a", "b", pairs)
    early, late = (ranks([p[side] for p in pairs]) for side in (0, 1))
    assert found.n == len(pairs)
    if len(set(early)) == 1 or len(set(late)) == 1:
        assert found.rho is None
    else:
        assert found.rho == pytest.approx(np.corrcoef(early, late)[0, 1])


def test_rungs_are_compared_with_the_last_epoch_over_the_trials_that_reached_it(files: SweepFiles) -> None:
    study, _ = open_tiny(files, train={"epochs": 3})
    for values in ([0.1, 0.2, 0.3], [0.2, 0.1, 0.4], [0.3, 0.3, 0.5], [0.4, 0.0, 0.1]):
        add(study, TrialState.COMPLETE, values)
    add(study, TrialState.PRUNED, [0.0])
    add(study, TrialState.PRUNED, [0.9, 0.9])
    add(study, TrialState.FAIL, [0.9, 0.9])
    first, second = rung_to_final(study.study)
    assert (first.early, first.late, first.n, first.rho) == ("epoch 1", "epoch 3", 4, pytest.approx(-0.2))
    assert (second.early, second.rho) == ("epoch 2", pytest.approx(0.8))
    assert "below 0.5" in str(first)
    assert str(second) == "rank correlation epoch 2 -> epoch 3: 0.80 (n = 4)"


def test_without_rungs_there_is_none(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    assert rung_to_final(study.study) == ()
    add(study, TrialState.COMPLETE, [0.1, 0.2])
    assert rung_to_final(study.study) == ()


def test_what_was_not_confirmed_does_not_count() -> None:
    found = sweep_to_confirmed({0: 0.1, 3: 0.3, 4: 0.2, 5: 0.9}, {0: 0.1, 3: 0.2, 4: 0.3}, "mini_train", "train")
    assert (found.n, found.rho) == (3, pytest.approx(0.5))
    few = sweep_to_confirmed({0: 0.1, 3: 0.3}, {0: 0.1, 3: 0.2}, "mini_train", "train")
    assert (few.n, few.rho) == (2, None)
    assert "unknown (n = 2)" in str(few)
