"""The matching against two plain loops; ``test_score.py`` holds it to map-boxes."""

from __future__ import annotations

import numpy as np
import pytest

from trainable import score_matching
from trainable.score_matching import GroupedBoxes, right_predictions


def by_loops(predictions: GroupedBoxes, answers: GroupedBoxes, iou: float) -> list[bool]:
    taken: set[int] = set()
    right = []
    for group, box in zip(predictions.group, predictions.corners, strict=True):
        overlaps = [
            (overlap(box, other), -number)
            for number, (own, other) in enumerate(zip(answers.group, answers.corners, strict=True))
            if own == group
        ]
        most, number = max(overlaps, default=(-1.0, 0))
        right.append(most >= iou and number not in taken)
        if right[-1]:
            taken.add(number)
    return right


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(width * height / (areas[0] + areas[1] - width * height))


def draw(rng: np.random.Generator) -> GroupedBoxes:
    """On a grid, so that edges and overlaps are often equal; some turned inside out, some flat."""
    count = int(rng.integers(0, 60))
    corners = rng.integers(0, 5, (count, 2, 2)) / 4
    corners[count // 5 :].sort(axis=1)
    return GroupedBoxes(np.sort(rng.integers(0, 5, count)), corners.reshape(count, 4))


@pytest.mark.parametrize("pairs", [1, 7, 1 << 16])
def test_it_equals_two_loops_in_portions_of_any_size(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_matching, "_PAIRS", pairs)
    rng = np.random.default_rng(pairs)
    found = 0
    for _ in range(100):
        predictions, answers, iou = draw(rng), draw(rng), float(rng.choice([0, 0.2, 0.5, 1]))
        right = right_predictions(predictions, answers, iou)
        assert right.tolist() == by_loops(predictions, answers, iou)
        found += right.sum()
    assert found > 200


def test_a_group_without_answers_has_nothing_right_even_at_0() -> None:
    box = np.array([[0.0, 0.0, 1.0, 1.0]])

    assert not right_predictions(GroupedBoxes(np.array([1]), box), GroupedBoxes(np.array([0]), box), 0).any()
    assert not right_predictions(GroupedBoxes(np.array([0]), box), GroupedBoxes(np.array([1]), box), 0).any()


def test_all_boxes_in_one_place_are_compared_in_portions() -> None:
    """Four million pairs, none of which can be left out."""
    rng = np.random.default_rng(0)
    corners = rng.random((2000, 4)) / 1000 + [0, 0, 1, 1]
    boxes = GroupedBoxes(np.zeros(2000, dtype=np.int64), corners)

    assert right_predictions(boxes, boxes, 1.0).all()
