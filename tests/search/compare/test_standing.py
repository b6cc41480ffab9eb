from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from search.compare.standing import ComparisonDecision, Standing, stand
from search.confirm.compare import Scores
from search.confirm.dunnett import critical_value
from search.confirm.spending import error_at
from search.confirm.verdict import Rule

RULE = Rule()


def scores(*gains: float, seeds: int = 6, sd: float = 0.001, seed: int = 0) -> dict[int, list[float | None]]:
    """Values of the reference and of arms with these gains."""
    values = np.random.default_rng(seed).normal(0.2, sd, (len(gains) + 1, seeds))
    return {arm: [float(v + gain) for v in values[arm]] for arm, gain in enumerate((0.0, *gains))}


def standings(decision: ComparisonDecision) -> list[Standing]:
    return [decision.arms[arm].standing for arm in sorted(decision.arms)]


def test_each_arm_stands_for_itself() -> None:
    found = stand(scores(0.05, -0.05, 0.0, sd=0.002), [2, 4, 6], RULE)
    assert standings(found) == [Standing.BETTER, Standing.WORSE, Standing.SAME]
    assert found.is_decided


def test_noise_leaves_it_undecided() -> None:
    found = stand(scores(0.01, sd=0.03), [2, 4, 6], RULE)
    assert standings(found) == [Standing.UNDECIDED]
    assert not found.is_decided
    assert found.sd == pytest.approx(0.03, rel=0.6)


def test_one_arm_at_one_look_is_the_paired_t_test_on_both_sides() -> None:
    values = scores(0.004, seeds=5, sd=0.01)
    gain = stand(values, [5], RULE).arms[1].gain
    assert gain is not None
    arrays = [np.array(values[arm], dtype=float) for arm in (1, 0)]
    interval = stats.ttest_rel(*arrays).confidence_interval(1 - error_at([5], RULE.error))
    assert (gain.lower, gain.upper) == pytest.approx((interval.low, interval.high))


def test_an_arm_that_is_through_needs_no_more_seeds_and_keeps_its_interval() -> None:
    whole = scores(0.5, 0.002, seeds=6, sd=0.004)
    few: Scores = {**whole, 1: whole[1][:2]}
    found = stand(few, [2, 4, 6], RULE)
    assert found.arms[1] == stand(whole, [2], RULE).arms[1]
    assert found.arms[1].standing == Standing.BETTER
    assert found.arms[2] == stand(whole, [2, 4, 6], RULE).arms[2]


def test_those_that_are_left_are_judged_for_as_many_as_there_were_at_first() -> None:
    whole = scores(0.5, -0.5, 0.002, seeds=4, sd=0.01)
    found = stand({**whole, 1: whole[1][:2], 2: whole[2][:2]}, [2, 4], RULE)
    assert standings(found)[:2] == [Standing.BETTER, Standing.WORSE]
    gain, error = found.arms[3].gain, error_at([2, 4], RULE.error) / 2
    assert gain is not None
    pair = np.array([whole[3], whole[0]], dtype=float)
    width = (pair[0] - pair[1]).std(ddof=1) / 2  # of a mean over 4 pairs
    assert gain.gain - gain.lower == pytest.approx(width * critical_value(3, 3, error))
    assert critical_value(3, 3, error) > critical_value(1, 3, error)


def test_a_lost_arm_is_out_and_the_others_go_on() -> None:
    values = scores(0.05, 0.0, sd=0.002)
    values[2] = [0.2, None]
    found = stand(values, [2, 4], RULE)
    assert standings(found) == [Standing.BETTER, Standing.LOST]
    assert found.arms[2].gain is None


@pytest.mark.parametrize("reference", [[None, None, None], [0.3, None, 0.3002]])
def test_a_reference_that_was_lost_is_compared_with_nothing(reference: list[float | None]) -> None:
    found = stand({0: reference, 1: [0.2, 0.2001, 0.2]}, [3], RULE)
    assert standings(found) == [Standing.NO_REFERENCE]
    assert found.is_decided


def test_a_look_that_is_not_all_trained_says_nothing() -> None:
    values = scores(0.5, 0.5)
    values[2] = values[2][:1]
    assert standings(stand(values, [2], RULE)) == [Standing.UNDECIDED] * 2


@given(st.lists(st.floats(-0.1, 0.1), min_size=1, max_size=4), st.integers(0, 50))
def test_turned_values_turn_the_standings(gains: list[float], seed: int) -> None:
    values = scores(*gains, seeds=4, sd=0.02, seed=seed)
    turned: Scores = {arm: [-v for v in each if v is not None] for arm, each in values.items()}
    opposite = {Standing.BETTER: Standing.WORSE, Standing.WORSE: Standing.BETTER}
    straight = standings(stand(values, [2, 4], RULE))
    assert standings(stand(turned, [2, 4], RULE)) == [opposite.get(each, each) for each in straight]


def test_few_comparisons_of_equal_arms_call_one_better_or_worse() -> None:
    wrong = 0
    for number in range(300):
        found = stand(scores(0.0, 0.0, 0.0, seeds=6, sd=0.015, seed=number), [2, 4, 6], RULE)
        wrong += any(each in (Standing.BETTER, Standing.WORSE) for each in standings(found))
    assert wrong <= 0.05 * 300  # twice what was measured; at 5 % a look it would be some 80
