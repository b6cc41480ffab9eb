"""The loss in two halves against ``yolov5.utils.loss.ComputeLoss``: the same value and the same gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from trainable.hyp import Hyp
from trainable.loss import MatchedLoss, Matcher
from trainable.parts import attach
from trainable.weights import build_model
from trainable.yolov5_parts import ComputeLoss, DetectionModel

SIZE = 128
HYPS = {
    "default": Hyp(),
    "focal": Hyp(fl_gamma=1.5, cls_pw=0.7, obj_pw=1.4),
    "anchors": Hyp(anchor_t=2.2, box=0.1),
}


def model(name: str, classes: int, hyp: Hyp, smoothing: float = 0.0) -> DetectionModel:
    torch.manual_seed(0)
    built = build_model(name, classes)
    attach(built, hyp.as_dict() | {"label_smoothing": smoothing}, [str(index) for index in range(classes)])
    return built


def targets(boxes: int, classes: int, images: int) -> torch.Tensor:
    rng = np.random.default_rng(boxes)
    rows = rng.uniform(0.05, 0.95, (boxes, 6))
    rows[:, 0], rows[:, 1] = np.sort(rng.integers(0, images, boxes)), rng.integers(0, classes, boxes)
    rows[:, 4:] *= 0.6
    return torch.from_numpy(rows.astype(np.float32))


@pytest.mark.parametrize("hyp", HYPS.values(), ids=HYPS.keys())
@pytest.mark.parametrize("name", ["yolov5n", "yolov5n6"])
@pytest.mark.parametrize(("boxes", "classes"), [(0, 2), (1, 1), (40, 1), (60, 3)])
def test_it_equals_yolov5s(name: str, hyp: Hyp, boxes: int, classes: int) -> None:
    built = model(name, classes, hyp, smoothing=0.1)
    wanted, images = targets(boxes, classes, 4), torch.rand(4, 3, SIZE, SIZE)
    stock = ComputeLoss(built)
    predictions = [layer.detach().requires_grad_() for layer in built(images)]
    copies = [layer.detach().clone().requires_grad_() for layer in predictions]

    loss, items = MatchedLoss(stock)(predictions, Matcher(built, SIZE).match(wanted))
    expected, parts = stock(copies, wanted)
    loss.backward()
    expected.backward()

    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(items, parts, rtol=1e-6, atol=1e-9)
    for mine, theirs in zip(predictions, copies, strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-5, atol=1e-8)


def test_a_batch_without_a_box_has_only_objectness() -> None:
    built = model("yolov5n", 2, Hyp())

    _, items = MatchedLoss(ComputeLoss(built))(
        built(torch.rand(2, 3, SIZE, SIZE)), Matcher(built, SIZE).match(torch.zeros(0, 6))
    )

    assert items[0] == items[2] == 0
    assert items[1] > 0
