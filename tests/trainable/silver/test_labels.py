"""From candidates to labels: NMS as torchvision has it, and degenerate pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms

from data_prep.silver.rule import SilverRule
from trainable.silver.labels import Candidates, silver_labels

NOTHING = np.zeros((0, 5), np.float32)


def random_candidates(seed: int, count: int, classes: int = 3) -> Candidates:
    generator = np.random.default_rng(seed)
    centre, side = generator.uniform(0.2, 0.8, (count, 2)), generator.uniform(0.05, 0.3, (count, 2))
    boxes = np.concatenate((centre - side / 2, centre + side / 2), 1).astype(np.float32)
    confidences = np.sort(generator.uniform(0.05, 1, count).astype(np.float32))[::-1].copy()
    return Candidates(boxes, confidences, generator.integers(0, classes, count).astype(np.int16))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("iou", [0.1, 0.45, 0.7])
def test_nms_is_that_of_torchvision(seed: int, iou: float) -> None:
    found = random_candidates(seed, 200)
    rule = SilverRule(confidence=0.3, iou=iou)
    able = found.confidences > 0.3
    expected = batched_nms(
        torch.from_numpy(found.boxes[able]).double(), torch.from_numpy(found.confidences[able]).double(),
        torch.from_numpy(found.classes[able]), iou,
    ).numpy()  # fmt: skip

    made = silver_labels(found, NOTHING, rule)

    assert 0 < made.predicted == len(expected) < able.sum()
    boxes = found.boxes[able][expected].astype(np.float64)
    rows = np.concatenate(
        (found.classes[able][expected][:, None], (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]), 1
    )
    np.testing.assert_allclose(made.added, rows, atol=6e-7)


def test_many_classes_do_not_suppress_each_other_nor_lose_digits() -> None:
    box = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32).repeat(80, 0)
    found = Candidates(box, np.linspace(0.9, 0.6, 80, dtype=np.float32), np.arange(80, dtype=np.int16))
    made = silver_labels(found, NOTHING, SilverRule())
    assert made.predicted == 80
    np.testing.assert_allclose(made.added[:, 1:], [[0.2, 0.3, 0.2, 0.2]] * 80, atol=1e-6)


def test_no_candidates_no_labels() -> None:
    empty = Candidates(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int16))
    assert silver_labels(empty, NOTHING, SilverRule()).taken is False


def test_a_threshold_is_a_bound_that_is_not_reached() -> None:
    found = Candidates(np.array([[0.1, 0.1, 0.2, 0.2]], np.float32), np.array([0.5], np.float32), np.zeros(1, np.int16))
    assert silver_labels(found, NOTHING, SilverRule(confidence=0.5)).predicted == 0
    assert silver_labels(found, NOTHING, SilverRule(confidence=0.499)).predicted == 1


def test_duplicates_are_one_box_even_where_nms_suppresses_nothing() -> None:
    box = np.array([[0.1, 0.1, 0.2, 0.2]] * 4, np.float32)
    found = Candidates(box, np.array([0.9, 0.9, 0.8, 0.7], np.float32), np.array([0, 0, 0, 1], np.int16))
    assert silver_labels(found, NOTHING, SilverRule(iou=1.0)).predicted == 2
