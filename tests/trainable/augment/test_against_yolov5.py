"""The fast path's augmentation against YOLOv5's own, given the same draws: the same pixels and the same boxes."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from yolov5.utils import augmentations, dataloaders

from tests.trainable.augment.conftest import SIZE
from trainable.augment.boxes import Boxes, augment_boxes
from trainable.augment.layout import lay_out
from trainable.augment.plan import WARPS, EpochPlan, compose, draw_epoch
from trainable.augment.render import Renderer
from trainable.dataset import YoloDataset
from trainable.hyp import Hyp

HYPS = {
    "default": Hyp(),
    "letterbox": Hyp(mosaic=0.0, degrees=20.0, shear=5.0),
    "identity": Hyp(mosaic=0.0, scale=0.0, translate=0.0, hsv_h=0.0, hsv_s=0.0, hsv_v=0.0, fliplr=0.0),
    "mixup": Hyp(mosaic=0.6, mixup=0.7, flipud=0.5, degrees=10.0, hsv_h=0.5),
    "perspective": Hyp(mosaic=0.5, mixup=0.5, perspective=0.001, scale=0.9, translate=0.4),
}


class Script:
    """Stands in for the module ``random``: gives out a sample's draws in the order in which YOLOv5 asks."""

    def __init__(self, answers: list[Any], images: list[list[int]]) -> None:
        self.answers, self.images = answers, images

    def random(self) -> float:
        return float(self.answers.pop(0))

    def uniform(self, low: float, high: float) -> float:
        kind, value = self.answers.pop(0)
        return float(value if kind == "value" else (low + high) / 2 + value * (high - low) / 2)

    def choices(self, population: Any, k: int) -> list[int]:
        return [0] * k

    def shuffle(self, values: list[int]) -> None:
        values[:] = self.images.pop(0)

    def randint(self, low: int, high: int) -> int:
        return low


def canvas_answers(plan: EpochPlan, draws: npt.NDArray[np.float64], sample: int, canvas: int) -> list[Any]:
    x, y = plan.centres[sample, canvas]
    centre = [("value", y), ("value", x)] if plan.mosaic[sample] else []
    return [*centre, *(("unit", draws[index, sample, canvas]) for index in range(len(WARPS)))]


def script(plan: EpochPlan, draws: npt.NDArray[np.float64], sample: int) -> Script:
    mosaic, mixed = plan.mosaic[sample], plan.mixup[sample]
    answers: list[Any] = [0.0 if mosaic else 1.0, *canvas_answers(plan, draws, sample, 0)]
    if mosaic:
        answers.append(0.0 if mixed else 1.0)
        answers += canvas_answers(plan, draws, sample, 1) if mixed else []
    answers += [0.0 if flip else 1.0 for flip in plan.flips[sample]]
    return Script(answers, plan.images[sample].tolist())


@pytest.mark.parametrize("hyp", HYPS.values(), ids=HYPS.keys())
def test_the_same_draws_give_the_same_pixels_and_boxes(
    hyp: Hyp, dataset: YoloDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = draw_epoch(hyp.as_dict(), dataset.n, SIZE, seed=5, epoch=2)
    draws = np.random.default_rng(1).uniform(-1, 1, (len(WARPS), dataset.n, 2))
    matrices, scales = compose(hyp.as_dict(), plan.mosaic, SIZE, draws)
    plan = dataclasses.replace(plan, matrices=matrices, scales=scales)
    layout = lay_out(plan, dataset.sizes, SIZE)
    targets = augment_boxes(plan, layout, Boxes.of(dataset.labels), SIZE)
    pixels = Renderer(lambda index: dataset.load_image(index)[0], SIZE).render(plan, layout)

    boxes = 0
    for sample in range(len(plan)):
        image, rows = stock_sample(dataset, hyp, plan, draws, sample, monkeypatch)
        np.testing.assert_array_equal(pixels[sample].transpose(2, 0, 1), image)
        np.testing.assert_array_equal(targets[targets[:, 0] == sample, 1:], rows)
        boxes += len(rows)
    assert boxes > len(plan)


def stock_sample(
    dataset: YoloDataset,
    hyp: Hyp,
    plan: EpochPlan,
    draws: npt.NDArray[np.float64],
    sample: int,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Any, Any]:
    """Image (3, h, w) and rows (boxes, 5) of one sample from YOLOv5's own ``__getitem__``, told what to draw."""
    scripted = script(plan, draws, sample)
    gains = np.array([hyp.hsv_h, hyp.hsv_s, hyp.hsv_v])
    unit = np.divide(plan.gains[sample] - 1, gains, out=np.zeros(3), where=gains > 0)
    numpy_random = SimpleNamespace(uniform=lambda *_: unit, beta=lambda *_: plan.ratios[sample])
    dataset.hyp = hyp.as_dict()
    with monkeypatch.context() as patch:
        patch.setattr(dataloaders, "random", scripted)
        patch.setattr(augmentations, "random", scripted)
        patch.setattr(np, "random", numpy_random)
        image, rows, _, _ = dataset[int(plan.images[sample, 0, 0])]
    assert scripted.answers == []
    return image.numpy(), rows.numpy()[:, 1:]
