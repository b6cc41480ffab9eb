"""Against ``yolov5.utils.general.non_max_suppression``: the same detections, bit by bit."""

from __future__ import annotations

import pytest
import torch
from yolov5.utils.general import non_max_suppression

from trainable.nms import CONFIDENCE, IOU, MAX_DETECTIONS, suppress


def predictions(candidates: int, classes: int, spread: float, seed: int) -> torch.Tensor:
    """Boxes around a few places, so that most of them overlap; shape (candidates, 5 + classes)."""
    draw = torch.Generator().manual_seed(seed)
    places = torch.rand(12, 2, generator=draw) * 600
    centre = places[torch.randint(12, (candidates,), generator=draw)]
    centre = centre + torch.randn(candidates, 2, generator=draw) * spread
    side = 20 + 60 * torch.rand(candidates, 2, generator=draw)
    return torch.cat((centre, side, torch.rand(candidates, 1 + classes, generator=draw) ** 4), 1)


@pytest.mark.parametrize("classes", [1, 2, 5])
@pytest.mark.parametrize("candidates", [0, 1, 300, 5000])
@pytest.mark.parametrize("spread", [2.0, 30.0, 400.0])
def test_it_equals_yolov5s(candidates: int, classes: int, spread: float) -> None:
    prediction = predictions(candidates, classes, spread, seed=candidates + classes)
    before = prediction.clone()

    found = suppress(prediction)

    (expected,) = non_max_suppression(before[None].clone(), CONFIDENCE, IOU, multi_label=True, max_det=MAX_DETECTIONS)
    assert torch.equal(found, expected)
    assert torch.equal(prediction, before)


def test_more_candidates_than_are_looked_at() -> None:
    prediction = predictions(15000, 3, 1.0, seed=0)  # up to 45,000 rows of box and class

    (expected,) = non_max_suppression(prediction[None].clone(), CONFIDENCE, IOU, multi_label=True, max_det=300)

    assert torch.equal(suppress(prediction), expected)
