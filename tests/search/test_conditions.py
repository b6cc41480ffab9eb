"""Conditions between parameters: order, circles, what excludes what."""

from __future__ import annotations

import random
from graphlib import TopologicalSorter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.conditions import Condition, check_alternatives, drawing_order, exclude_each_other, holds

OPTIMIZER: Condition = {"optimizer": ("SGD",)}


@pytest.mark.parametrize(
    ("condition", "params", "expected"),
    [
        ({}, {}, True),
        (OPTIMIZER, {"optimizer": "SGD"}, True),
        (OPTIMIZER, {"optimizer": "AdamW"}, False),
        (OPTIMIZER, {}, False),  # the parent itself was not drawn
        ({"a": (1, 2), "b": (True,)}, {"a": 2, "b": True}, True),
        ({"a": (1, 2), "b": (True,)}, {"a": 2, "b": False}, False),
        ({"weights": (None,)}, {"weights": None}, True),
    ],
)
def test_holds(condition: Condition, params: dict[str, object], expected: bool) -> None:
    assert holds(condition, params) is expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (OPTIMIZER, {"optimizer": ("AdamW", "Adam")}, True),
        (OPTIMIZER, {"optimizer": ("AdamW", "SGD")}, False),
        (OPTIMIZER, {}, False),
        ({}, {}, False),
        (OPTIMIZER, {"model": ("yolov5n",)}, False),
        ({**OPTIMIZER, "model": ("a",)}, {"optimizer": ("SGD",), "model": ("b",)}, True),
    ],
)
def test_what_excludes_what(first: Condition, second: Condition, expected: bool) -> None:
    assert exclude_each_other(first, second) is expected
    assert exclude_each_other(second, first) is expected


def test_three_alternatives_must_exclude_each_other_in_pairs() -> None:
    conditions = {"a": {"x": (1,)}, "b": {"x": (2,)}, "c": {"x": (3,)}}
    check_alternatives({"lr0": conditions})
    with pytest.raises(ValueError, match="b and c both set lr0"):
        check_alternatives({"lr0": {**conditions, "c": {"x": (3, 2)}}})


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 12))
def test_parents_come_first_and_nothing_else_moves_without_need(seed: int, size: int) -> None:
    rng = random.Random(seed)
    names = [f"p{i}" for i in range(size)]
    rank = {name: place for place, name in enumerate(rng.sample(names, size))}
    conditions: dict[str, Condition] = {
        name: {parent: (1,) for parent in names if rank[parent] < rank[name] and rng.random() < 0.3} for name in names
    }
    order = drawing_order(conditions)
    assert sorted(order) == sorted(names)
    assert all(order.index(parent) < order.index(name) for name in names for parent in conditions[name])
    if all(names.index(parent) < names.index(name) for name in names for parent in conditions[name]):
        assert list(order) == names
    TopologicalSorter(conditions).prepare()
