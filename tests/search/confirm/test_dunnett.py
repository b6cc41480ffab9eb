from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from search.confirm.dunnett import critical_value, probability

TABLE = {(3, 15): 2.24, (1, 5): 2.02, (2, 5): 2.44, (3, 5): 2.68, (9, 5): 3.30}
"""One-sided 5 % of Dunnett's own table (1955), by candidates and degrees of freedom."""


@pytest.mark.parametrize("case", TABLE)
def test_dunnetts_own_table(case: tuple[int, int]) -> None:
    assert critical_value(*case, 0.05) == pytest.approx(TABLE[case], abs=0.0051)


@pytest.mark.parametrize(
    ("candidates", "freedom", "error"), [(2, 3, 0.005), (3, 15, 0.01), (5, 40, 0.05), (3, 2, 0.02)]
)
def test_the_multivariate_t_of_scipy_says_the_same(candidates: int, freedom: int, error: float) -> None:
    value = critical_value(candidates, freedom, error)
    shape = np.full((candidates, candidates), 0.5) + 0.5 * np.eye(candidates)
    below = stats.multivariate_t(shape=shape, df=freedom).cdf([value] * candidates, maxpts=100_000, random_state=0)
    assert 1 - below == pytest.approx(error, rel=1e-3)


def test_scipys_dunnett_says_the_same() -> None:
    generator = np.random.default_rng(3)
    samples, control = generator.normal(0.3, 1, (3, 8)), generator.normal(0, 1, 8)
    theirs = stats.dunnett(*samples, control=control, alternative="greater", rng=np.random.default_rng(0))
    best = int(np.argmax(theirs.statistic))
    assert probability(theirs.statistic[best], 3, 4 * 7) == pytest.approx(theirs.pvalue[best], abs=2e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(2, 40), st.floats(1e-4, 0.2))
def test_it_lies_between_students_t_and_bonferroni(candidates: int, seeds: int, error: float) -> None:
    freedom = candidates * (seeds - 1)
    value = critical_value(candidates, freedom, error)
    assert stats.t.ppf(1 - error, freedom) - 1e-6 <= value <= stats.t.ppf(1 - error / candidates, freedom) + 1e-6
    assert probability(value, candidates, freedom) == pytest.approx(error, rel=1e-6)
