"""Non-dominated sorting against what its definition says, trial by trial."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from optuna.study._multi_objective import _fast_non_domination_rank

from search.goals.dominance import crowding, preference, ranks

Point = tuple[float, ...]


def points(goals: int) -> st.SearchStrategy[list[Point]]:
    few = st.integers(0, 4).map(float)  # so few values that many are equal
    many = st.floats(-10, 10, allow_nan=False)
    return st.lists(st.tuples(*[st.one_of(few, many)] * goals), min_size=0, max_size=25)


any_points = st.integers(2, 4).flatmap(points)


def array(found: Sequence[Point]) -> np.ndarray:
    return np.array(found, dtype=float).reshape(len(found), len(found[0]) if found else 2)


def dominates(one: Point, other: Point) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def ranks_by_definition(found: Sequence[Point]) -> list[int]:
    fronts, left = {}, set(range(len(found)))
    while left:
        leading = {i for i in left if not any(dominates(found[j], found[i]) for j in left)}
        fronts |= dict.fromkeys(leading, len(set(fronts.values())))
        left -= leading
    return [fronts[i] for i in range(len(found))]


def crowding_by_definition(front: Sequence[Point]) -> list[float]:
    """The pseudocode of Deb 2002 with neighbours by value; it knows nothing of ties beyond equal points."""
    unique = sorted(set(front))
    distances = dict.fromkeys(unique, 0.0)
    for goal in range(len(front[0])):
        values = sorted(point[goal] for point in unique)
        low, high = values[0], values[-1]
        if low == high:
            continue
        for place, point in enumerate(sorted(unique, key=lambda p: p[goal])):
            if point[goal] in (low, high):
                distances[point] = math.inf
            else:
                distances[point] += (values[place + 1] - values[place - 1]) / (high - low)
    return [distances[point] if front.index(point) == i else 0.0 for i, point in enumerate(front)]


@given(any_points)
def test_ranks_are_those_of_the_definition_and_of_optuna(found: list[Point]) -> None:
    assert ranks(array(found)).tolist() == ranks_by_definition(found)
    assert ranks(array(found)).tolist() == _fast_non_domination_rank(array(found)).tolist()


@given(any_points.filter(bool))
def test_crowding_is_that_of_the_definition(found: list[Point]) -> None:
    front = [point for point, rank in zip(found, ranks_by_definition(found), strict=True) if rank == 0]

    np.testing.assert_allclose(crowding(array(front)), crowding_by_definition(front), rtol=1e-9)


@given(any_points)
def test_preference_goes_by_front_then_crowding_then_the_first_goal_then_age(found: list[Point]) -> None:
    order = preference(array(found)).tolist()

    fronts = ranks_by_definition(found)
    distance: dict[int, float] = {}
    for front in set(fronts):
        here = [i for i, rank in enumerate(fronts) if rank == front]
        # The module's own, held to the definition above: two roundings of one sum would order ties at random.
        distance |= dict(zip(here, crowding(array([found[i] for i in here])).tolist(), strict=True))
    assert order == sorted(range(len(found)), key=lambda i: (fronts[i], -distance[i], found[i], i))


@given(any_points.filter(bool))
def test_nobody_dominates_who_is_preferred(found: list[Point]) -> None:
    order = preference(array(found)).tolist()

    assert sorted(order) == list(range(len(found)))
    for place, i in enumerate(order):
        assert not any(dominates(found[j], found[i]) for j in order[place + 1 :])


@given(st.lists(st.floats(-1, 1, allow_nan=False), min_size=1, max_size=20))
def test_with_one_goal_it_is_plain_sorting(values: list[float]) -> None:
    order = preference(np.array(values).reshape(-1, 1)).tolist()

    assert [values[i] for i in order] == sorted(values)
    assert all(i < j for i, j in itertools.pairwise(order) if values[i] == values[j])


def test_a_constant_goal_does_not_prefer_the_cheapest_alone() -> None:
    """Three models of 4, 15 and 42 MB, three hyps each: the best third holds one of each model."""
    maps = {4: (0.1, 0.2, 0.3), 15: (0.35, 0.4, 0.5), 42: (0.45, 0.6, 0.55)}
    found = [(-value, float(size)) for size, values in maps.items() for value in values]

    best = preference(array(found))[:3].tolist()

    assert {found[i] for i in best} == {(-0.3, 4.0), (-0.5, 15.0), (-0.6, 42.0)}
    assert found[best[0]] == (-0.6, 42.0)  # the best of the goal that is named first
