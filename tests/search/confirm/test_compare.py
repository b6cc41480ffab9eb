from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from search.confirm.compare import Scores, compare
from search.confirm.spending import error_at, spent

ERROR = 0.05


def table(candidates: int, seeds: int, seed: int = 0, **shift: float) -> dict[int, list[float | None]]:
    values = np.random.default_rng(seed).normal(0.2, 0.015, (candidates + 1, seeds))
    return {10 * row if row else 0: list(map(float, line)) for row, line in enumerate(values)}


def test_one_candidate_is_the_paired_t_test() -> None:
    scores = table(1, 5)
    found = compare(scores, ERROR)
    first, default = (np.array(scores[trial], dtype=float) for trial in (10, 0))
    interval = stats.ttest_rel(first, default).confidence_interval(1 - 2 * ERROR)
    gain = found.gains[10]
    assert (gain.lower, gain.upper) == pytest.approx((interval.low, interval.high))
    assert (found.best, found.freedom, found.seeds) == (10, 4, 5)


def test_the_noise_is_what_a_least_squares_fit_of_hyps_and_seeds_leaves() -> None:
    scores = table(3, 4)
    values = np.array(list(scores.values()), dtype=float)
    hyp, seed = (each.ravel() for each in np.indices(values.shape))
    design = np.hstack([np.eye(4)[hyp], np.eye(4)[seed][:, 1:]])
    rest = values.ravel() - design @ np.linalg.lstsq(design, values.ravel(), rcond=None)[0]
    found = compare(scores, ERROR)
    assert found.freedom == values.size - design.shape[1] == 9
    assert found.sd == pytest.approx(np.sqrt((rest**2).sum() / found.freedom))


def test_several_candidates_widen_the_lower_end_alone() -> None:
    found = compare(table(3, 4), ERROR)
    assert found.sd is not None
    width = found.sd * np.sqrt(2 / 4)
    for gain in found.gains.values():
        assert gain.upper - gain.gain == pytest.approx(width * stats.t.ppf(1 - ERROR, 9))
        assert gain.gain - gain.lower > 1.2 * (gain.upper - gain.gain)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4), st.floats(-5, 5))
def test_what_a_seed_does_to_all_alike_changes_nothing(shifts: list[float], everywhere: float) -> None:
    scores = table(2, 4)
    moved: Scores = {
        trial: [v + s + everywhere for v, s in zip(values, shifts, strict=True) if v is not None]
        for trial, values in scores.items()
    }
    one, other = compare(scores, ERROR), compare(moved, ERROR)
    for trial in one.gains:
        assert other.gains[trial].lower == pytest.approx(one.gains[trial].lower, abs=1e-9)


def test_a_candidate_that_diverged_is_out_and_named() -> None:
    scores = table(3, 4)
    scores[20][1] = None
    found = compare(scores, ERROR)
    assert found.lost == {20: 1}
    assert found.gains == compare({t: v for t, v in scores.items() if t != 20}, ERROR).gains


def test_seeds_with_which_the_default_diverged_are_left_out_for_all() -> None:
    scores = table(2, 4)
    expected = compare({trial: values[:1] + values[2:] for trial, values in scores.items()}, ERROR)
    scores[0][1] = None
    found = compare(scores, ERROR)
    assert (found.default_lost, found.seeds, found.gains) == (1, 3, expected.gains)


def test_one_seed_says_nothing() -> None:
    found = compare(table(2, 1), ERROR)
    assert (found.best, found.sd, dict(found.gains)) == (None, None, {})


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8, unique=True).map(sorted))
def test_the_looks_never_spend_more_than_there_is(looks: list[int]) -> None:
    each = [error_at(looks[: place + 1], ERROR) for place in range(len(looks))]
    assert min(each) > 0
    assert sum(each) == pytest.approx(ERROR * spent(looks[-1]))
    assert sum(each) < ERROR
