"""Merging against a brute-force oracle, one box and one gold box at a time, in whole numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.silver.merge import PolygonError, label_lines, label_rows, merge, pair_iou, parse_rows
from data_prep.silver.rule import SilverRule

GRID = 16
"""Corners lie on a grid, so that equal overlaps and touching edges come up; its steps are exact in binary."""
NOTHING = np.zeros((0, 5), np.float32)

corner = st.integers(-2, GRID + 2)
box = st.tuples(st.integers(0, 2), corner, corner, corner, corner)
inner = st.integers(0, GRID)
gold_box = st.tuples(st.integers(0, 2), inner, inner, inner, inner)


def upright(box: tuple[int, ...]) -> tuple[int, ...]:
    kind, a, b, c, d = box
    return kind, min(a, c), min(b, d), max(a, c), max(b, d)


def exact_iou(one: tuple[int, ...], other: tuple[int, ...]) -> Fraction:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(wide, 0) * max(high, 0)
    whole = sum(max(b[2] - b[0], 0) * max(b[3] - b[1], 0) for b in (one, other)) - shared
    return Fraction(shared, whole) if whole else Fraction(0)


def oracle(
    predicted: list[tuple[int, ...]], gold: list[tuple[int, ...]], least: Fraction
) -> tuple[list[int], int, int]:
    """Which predictions are added, by index; how many there are; how many a gold box stands for."""
    added, seen, dropped = [], [], 0
    for index, (kind, *edges) in enumerate(predicted):
        clipped = tuple(min(max(edge, 0), GRID) for edge in edges)
        if clipped[2] <= clipped[0] or clipped[3] <= clipped[1] or (kind, clipped) in seen:
            continue
        seen.append((kind, clipped))
        if any(kind == other[0] and exact_iou(clipped, other[1:]) >= least for other in gold):
            dropped += 1
        else:
            added.append(index)
    return added, len(seen), dropped


def rows_of(boxes: list[tuple[int, ...]]) -> np.ndarray:
    rows = [[k, (a + c) / 2 / GRID, (b + d) / 2 / GRID, (c - a) / GRID, (d - b) / GRID] for k, a, b, c, d in boxes]
    return np.array(rows, np.float32).reshape(-1, 5)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(box, max_size=8),
    st.lists(gold_box.map(upright), max_size=5),
    st.sampled_from([Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(3, 4), Fraction(1)]),
    st.integers(1, 4),
)  # fmt: skip
def test_it_equals_the_oracle(
    predicted: list[tuple[int, ...]], gold: list[tuple[int, ...]], least: Fraction, min_boxes: int
) -> None:
    corners = np.array([b[1:] for b in predicted], np.float32).reshape(-1, 4) / GRID
    classes = np.array([b[0] for b in predicted], np.float32)
    rule = SilverRule(min_boxes=min_boxes, merge_iou=float(least))

    found = merge(corners, classes, rows_of(gold), rule)

    added, count, dropped = oracle(predicted, gold, least)
    assert (found.predicted, found.taken) == (count, count >= min_boxes)
    if not found.taken:
        assert (len(found.added), found.dropped) == (0, 0)
        return
    assert found.dropped == dropped
    clipped = [(predicted[i][0], *(min(max(edge, 0), GRID) for edge in predicted[i][1:])) for i in added]
    np.testing.assert_allclose(found.added, rows_of(clipped), atol=6e-7)


def test_a_box_of_another_class_is_no_gold_box_for_it() -> None:
    one = np.array([[0.1, 0.1, 0.4, 0.4]])
    gold = np.array([[1, 0.25, 0.25, 0.3, 0.3]], np.float32)
    assert len(merge(one, np.array([0]), gold, SilverRule()).added) == 1
    assert merge(one, np.array([1]), gold, SilverRule()).dropped == 1


def test_nothing_predicted_and_nothing_labelled() -> None:
    found = merge(np.zeros((0, 4)), np.zeros(0), NOTHING, SilverRule())
    assert (found.predicted, found.dropped, found.taken, found.added.shape) == (0, 0, False, (0, 5))
    assert pair_iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)


def test_copies_of_a_box_and_slivers_do_not_count() -> None:
    corners = np.array([[0.1, 0.1, 0.2, 0.2]] * 3 + [[0.5, 0.5, 0.5 + 1e-7, 0.9], [1.1, 0.2, 1.3, 0.4]])
    found = merge(corners, np.zeros(5), NOTHING, SilverRule(min_boxes=2))
    assert (found.predicted, found.taken) == (1, False)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(*[st.floats(-0.5, 1.5, width=32)] * 4), max_size=20), st.integers(0, 79))
def test_what_is_written_is_read_back_bit_by_bit(corners: list[tuple[float, ...]], kind: int) -> None:
    boxes = np.array(corners, np.float32).reshape(-1, 4)
    rows = label_rows(boxes, np.full(len(boxes), kind)).astype(np.float32)
    np.testing.assert_array_equal(parse_rows(label_lines(rows)), rows)


@pytest.mark.parametrize("text", ["0 0.5 0.5 0.1", "0 0.5 0.5 0.1 0.1 0.9", "0 nan 0.5 0.1 0.1", "0 -0.1 0.5 0.1 0.1",
                                  "0 1.1 0.5 0.1 0.1", "cow 0.5 0.5 0.1 0.1"])  # fmt: skip
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"label|float"):
        parse_rows(text)


def test_polygons_are_told_apart() -> None:
    with pytest.raises(PolygonError):
        parse_rows("0 0.5 0.5 0.1 0.1\n0 0.1 0.1 0.2 0.1 0.2 0.2\n")
    assert parse_rows(" \n").shape == (0, 5)
