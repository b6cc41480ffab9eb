from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import InputError
from data_prep.refine import BoolArray, IntArray, Problem, make_problem, refine

#: Groups as (pictures, pictures with label a, pictures with label b).
groups = st.lists(
    st.integers(1, 6).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size), st.integers(0, size))),
    min_size=3,
    max_size=14,
)


def problem_of(rows: list[tuple[int, ...]], target: int) -> Problem:
    table = np.array(rows, dtype=np.int64)
    return make_problem(table[:, 1:], table[:, 0], target)


def unevenness(problem: Problem, rows: list[tuple[int, ...]], inside: BoolArray) -> Fraction:
    """The sum that refine lessens, by fractions and from its definition."""
    share, total = problem.share, Fraction(0)
    for column, weight in enumerate(problem.weights.tolist()):
        whole = sum(row[column] for row in rows)
        chosen = sum(row[column] for row, is_in in zip(rows, inside, strict=True) if is_in)
        total += weight * (chosen - share * whole) ** 2
    return total * share.denominator**2


def neighbours(inside: BoolArray) -> list[BoolArray]:
    """Every choice that one move or one exchange leads to."""
    count = len(inside)
    pairs = [(one, other) for one, other in combinations(range(count), 2) if inside[one] != inside[other]]
    found = []
    for changed in [*((index,) for index in range(count)), *pairs]:
        choice = inside.copy()
        choice[list(changed)] ^= True
        found.append(choice)
    return found


def error(rows: list[tuple[int, ...]], inside: BoolArray, target: int) -> int:
    return abs(sum(row[0] for row, is_in in zip(rows, inside, strict=True) if is_in) - target)


@settings(max_examples=60, deadline=None)
@given(rows=groups, data=st.data())
def test_no_single_step_is_left_that_is_better(rows: list[tuple[int, ...]], data: st.DataObject) -> None:
    target = data.draw(st.integers(1, sum(row[0] for row in rows) - 1))
    start = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    problem = problem_of(rows, target)
    found, score = refine(problem, start, np.arange(len(rows)))
    reached, before = error(rows, found, target), unevenness(problem, rows, found)
    assert score.unevenness == before
    assert score.excess == max(0, reached - problem.slack)
    for choice in neighbours(found):
        near = error(rows, choice, target)
        if reached > problem.slack:
            assert near >= reached
        elif near <= problem.slack:
            assert unevenness(problem, rows, choice) >= before


def test_a_start_of_the_right_size_gets_no_worse_and_even_where_it_can() -> None:
    rows = [(1, 1, 0)] * 50 + [(1, 0, 1)] * 100
    start = np.arange(150) < 30  # all of label a
    found, score = refine(problem_of(rows, 30), start, np.arange(150))
    assert found[:50].sum() == 10
    assert found[50:].sum() == 20
    assert (score.excess, score.unevenness) == (0, 0)


def test_the_size_comes_before_the_labels() -> None:
    rows = [(1, 1)] * 3 + [(1, 0)] * 7
    found, _ = refine(problem_of(rows, 5), np.zeros(10, dtype=np.bool_), np.arange(10))
    assert found.sum() == 5


def test_single_pictures_make_up_what_large_groups_leave_open() -> None:
    rows = [(20, 20 * (number % 2), number) for number in range(20)] + [(1, 1, 0)] * 3
    found, _ = refine(problem_of(rows, 83), np.zeros(23, dtype=np.bool_), np.arange(23))
    assert error(rows, found, 83) == 0


def test_a_group_larger_than_the_target_leaves_where_others_fit() -> None:
    rows = [(50, 50)] + [(1, 1)] * 50
    found, _ = refine(problem_of(rows, 20), np.arange(51) == 0, np.arange(51))
    assert not found[0]
    assert found.sum() == 20


def test_of_equal_groups_the_order_says_which_goes() -> None:
    rows = [(1, 1)] * 6
    order = np.array([5, 3, 4, 0, 2, 1])
    found, _ = refine(problem_of(rows, 2), np.zeros(6, dtype=np.bool_), order)
    assert np.flatnonzero(found).tolist() == [3, 5]


@pytest.mark.parametrize("target", [1, 500_000])
def test_a_million_pictures_in_large_groups_do_not_overflow(target: int) -> None:
    size = np.full(1000, 1000, dtype=np.int64)
    counts: IntArray = np.tile(size[:, None], (1, 300))
    problem = make_problem(counts, size, target)
    found, score = refine(problem, np.ones(1000, dtype=np.bool_), np.arange(1000))
    assert found.sum() == target // 1000
    assert score.unevenness >= 0


def test_what_64_bits_cannot_hold_is_refused() -> None:
    size = np.array([10**9, 10**9], dtype=np.int64)
    with pytest.raises(InputError, match="2000000000 pictures, 1000000000 of them in one group, are more than"):
        make_problem(np.tile(size[:, None], (1, 9)), size, 10**8)
