"""Against ``yolov5.val.process_batch``."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from yolov5.val import process_batch

from trainable.matching import match_detections
from trainable.validation import IOU_LEVELS


def boxes(count: int, draw: torch.Generator) -> torch.Tensor:
    low = torch.rand(count, 2, generator=draw) * 40
    return torch.cat((low, low + 5 + torch.rand(count, 2, generator=draw) * 40), 1)


@given(st.integers(0, 40), st.integers(0, 12), st.integers(1, 3), st.integers(0, 10**6))
def test_it_equals_yolov5s(detections: int, labels: int, classes: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    found, wanted = boxes(detections, draw), boxes(labels, draw)
    # Some detections are near copies of a label, so that the upper levels are reached as well.
    for index in range(min(detections, labels)):
        found[index] = wanted[index] + torch.randn(4, generator=draw)
    found_class = torch.randint(classes, (detections,), generator=draw).float()
    wanted_class = torch.randint(classes, (labels,), generator=draw).float()

    correct = match_detections(found, found_class, wanted, wanted_class, IOU_LEVELS)

    rows = torch.cat((found, torch.rand(detections, 1, generator=draw), found_class[:, None]), 1)
    expected = process_batch(rows, torch.cat((wanted_class[:, None], wanted), 1), torch.linspace(0.5, 0.95, 10))
    np.testing.assert_array_equal(correct, expected.numpy())


@pytest.mark.parametrize(("iou", "levels"), [(1.0, 10), (0.76, 6), (0.5, 1), (0.49, 0)])
def test_a_box_reaches_the_levels_up_to_its_iou(iou: float, levels: int) -> None:
    label, found = torch.tensor([[0.0, 0.0, 100.0, 10.0]]), torch.tensor([[0.0, 0.0, 100.0 * iou, 10.0]])

    correct = match_detections(found, torch.zeros(1), label, torch.zeros(1), IOU_LEVELS)

    assert correct.sum() == levels


def test_of_two_detections_of_a_label_the_more_confident_is_right() -> None:
    label = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    found = torch.tensor([[0.0, 0.0, 10.0, 8.0], [0.0, 0.0, 10.0, 10.0]])

    correct = match_detections(found, torch.zeros(2), label, torch.zeros(1), IOU_LEVELS)

    assert correct[:, 0].tolist() == [True, False]
    assert correct[:, 9].tolist() == [False, True]
