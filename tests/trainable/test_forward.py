"""The fast way to the loss of a batch against YOLOv5's, on the same batch in float32."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from trainable.forward import ExactForward, FastForward, MatchedBatch
from trainable.hyp import Hyp
from trainable.loss import MatchedLoss, Matcher
from trainable.parts import attach
from trainable.precision import Precision
from trainable.weights import build_model
from trainable.yolov5_parts import ComputeLoss, DetectionModel

SIZE = 128
CPU = torch.device("cpu")
EXACT, FAST = Precision(CPU), Precision(CPU, None, channels_last=True, float32_head=True)


def model() -> DetectionModel:
    torch.manual_seed(0)
    built = build_model("yolov5n", 3).train()
    attach(built, Hyp().as_dict() | {"label_smoothing": 0.0}, ["a", "b", "c"])
    return built


def batch(count: int, boxes: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(count)
    images = torch.from_numpy(rng.integers(0, 256, (count, 3, SIZE, SIZE), dtype=np.uint8))
    rows = rng.uniform(0.2, 0.8, (boxes, 6)).astype(np.float32)
    rows[:, 0], rows[:, 1] = np.sort(rng.integers(0, count, boxes)), rng.integers(0, 3, boxes)
    return images, torch.from_numpy(rows)


def gradient(trained: DetectionModel) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in trained.parameters()])


@pytest.mark.parametrize(("count", "boxes"), [(2, 0), (3, 5), (4, 12)])
def test_both_give_the_same_loss_and_gradient(count: int, boxes: int) -> None:
    images, targets = batch(count, boxes)
    plain = model()
    quick = deepcopy(plain).to(memory_format=torch.channels_last)

    expected, parts = ExactForward(plain, ComputeLoss(plain), EXACT)((images, targets, (), ()))
    forward = FastForward(quick, MatchedLoss(ComputeLoss(quick)), FAST)
    loss, items = forward(MatchedBatch(images, Matcher(quick, SIZE).match(targets)))
    expected.backward()
    loss.backward()

    assert loss.shape == expected.shape == (1,)
    assert not items.requires_grad
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(items, parts, rtol=1e-5, atol=1e-7)
    mine, theirs = gradient(quick), gradient(plain)
    assert theirs.norm() > 0
    assert (mine - theirs).norm() < 1e-3 * theirs.norm()  # the sums of a normalisation run in another order


def test_bfloat16_is_near_float32() -> None:
    images, targets = batch(4, 12)
    trained = model()
    matched = MatchedBatch(images, Matcher(trained, SIZE).match(targets))
    half = Precision(CPU, torch.bfloat16, channels_last=True, float32_head=True)

    expected, _ = FastForward(trained, MatchedLoss(ComputeLoss(trained)), FAST)(matched)
    loss, items = FastForward(trained, MatchedLoss(ComputeLoss(trained)), half)(matched)

    assert loss.dtype == items.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=0.02, atol=0)
