from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.schedulers.median import MedianRule
from search.schedulers.rungs import Decision, Past

pytestmark = pytest.mark.timeout(60)  # drawn cases take seconds where the machine is busy
REPORTS = st.lists(st.tuples(st.integers(0, 7), st.sampled_from([0.1, 0.2, 0.3, 0.3, 0.9])), max_size=120)


@given(reports=REPORTS, grace=st.integers(1, 3), least=st.integers(1, 4), split=st.integers(0, 120))
@settings(deadline=None)
def test_a_trial_ends_where_its_best_is_below_the_median_of_the_averages_of_the_others(
    reports: list[tuple[int, float]], grace: int, least: int, split: int
) -> None:
    """Golovin et al. 2017, 3.2.2, from whole histories at every step; and a second driver takes over in mid-sweep."""
    rule = MedianRule(grace, least, "max")
    values: dict[int, list[float]] = {}
    stopped: set[int] = set()
    for step, (number, value) in enumerate(reports):
        if step == split:
            rule = MedianRule(grace, least, "max")
            rule.load(Past(n, dict(enumerate(mine, start=1))) for n, mine in values.items())
        if number in stopped:
            continue
        mine = values.setdefault(number, [])
        mine.append(value)
        epoch = len(mine)
        others = [statistics.fmean(v[:epoch]) for n, v in values.items() if n != number and len(v) >= epoch]
        worse = len(others) >= least and max(mine) < statistics.median(others) - 1e-12
        close = bool(others) and math.isclose(max(mine), statistics.median(others))
        decision = rule.record(number, epoch, value)
        if not close:  # sums in another order may differ in the last bit
            assert decision is (Decision.STOP if worse and epoch >= grace else Decision.GO_ON)
        if decision is Decision.STOP:
            stopped.add(number)


def test_less_is_better_where_the_mode_says_so() -> None:
    rule = MedianRule(1, 1, "min")
    assert rule.record(0, 1, 0.5) is Decision.GO_ON
    assert rule.record(1, 1, 0.6) is Decision.STOP
    assert rule.record(2, 1, 0.4) is Decision.GO_ON


def test_an_epoch_that_is_trained_again_counts_once_and_what_is_no_number_ends() -> None:
    rule = MedianRule(1, 2, "max")
    assert rule.record(0, 1, 0.9) is Decision.GO_ON
    assert rule.record(0, 1, 0.1) is Decision.GO_ON
    assert rule.record(1, 1, 0.9) is Decision.GO_ON
    assert rule.record(2, 1, math.nan) is Decision.STOP
    assert rule.record(3, 1, 0.5) is Decision.STOP
