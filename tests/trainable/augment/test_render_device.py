"""The renderer for a GPU, run on the CPU here, against the one that equals YOLOv5's pixels."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
import torch

from tests.trainable.augment.conftest import SIZE, plain_bank
from trainable.augment import render_device
from trainable.augment.colour import recolour
from trainable.augment.layout import lay_out
from trainable.augment.plan import draw_epoch
from trainable.augment.render import GREY, Renderer, colour_tables
from trainable.augment.render_device import DeviceRenderer
from trainable.dataset import YoloDataset
from trainable.hyp import Hyp

HYPS = {
    "default": Hyp(),
    "letterbox": Hyp(mosaic=0.0, degrees=20.0, shear=5.0, flipud=0.5),
    "no colour": Hyp(mosaic=0.5, hsv_h=0.0, hsv_s=0.0, hsv_v=0.0),
    "mixup": Hyp(mosaic=0.7, mixup=0.8, degrees=10.0),
    "perspective": Hyp(mosaic=0.5, mixup=0.5, perspective=0.001, scale=0.9, translate=0.4),
}


@pytest.mark.parametrize("hyp", HYPS.values(), ids=HYPS.keys())
@pytest.mark.parametrize("at_once", [1, 1 << 22])
def test_it_gives_the_pixels_of_opencv_but_for_rounding(
    hyp: Hyp, at_once: int, dataset: YoloDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render_device, "PIXELS_AT_ONCE", at_once)
    plan = draw_epoch(hyp.as_dict(), dataset.n, SIZE, seed=3, epoch=0)
    layout = lay_out(plan, dataset.sizes, SIZE)

    found = DeviceRenderer(plain_bank(dataset), SIZE).render(plan, layout)

    expected = Renderer(lambda index: dataset.load_image(index)[0], SIZE).render(plan, layout)
    assert found.shape == (dataset.n, 3, SIZE, SIZE)
    assert found.is_contiguous(memory_format=torch.channels_last)
    difference = np.abs(found.permute(0, 2, 3, 1).numpy().astype(int) - expected)
    assert difference.mean() < 0.5
    assert (difference <= 4).mean() > 0.99


def test_what_a_strong_perspective_sends_to_infinity_is_grey(dataset: YoloDataset) -> None:
    plan = draw_epoch(Hyp(hsv_h=0.0, hsv_s=0.0, hsv_v=0.0, fliplr=0.0).as_dict(), dataset.n, SIZE, seed=5, epoch=2)
    matrix = np.array(
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1 / 32, 0.0, -1.0]]
    )  # its own inverse; column 32 has no depth
    plan = dataclasses.replace(plan, matrices=np.broadcast_to(matrix, plan.matrices.shape).copy())

    found = DeviceRenderer(plain_bank(dataset), SIZE).render(plan, lay_out(plan, dataset.sizes, SIZE))

    assert (found[..., 32] == GREY).all()


def test_colours_are_those_of_opencv_but_for_rounding() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    images[0, :8] = rng.integers(0, 256, (8, 64, 1), dtype=np.uint8)  # greys, which have no hue
    gains = np.array([[1.02, 1.6, 0.7], [0.97, 0.3, 1.5]])
    tables = np.stack([colour_tables(each) for each in gains])

    found = recolour(torch.from_numpy(images).float(), torch.from_numpy(tables)).numpy()

    for index in range(2):
        hsv = cv2.LUT(cv2.cvtColor(images[index], cv2.COLOR_BGR2HSV), tables[index][None])
        difference = np.abs(found[index] - cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(float))
        assert (difference <= 2).mean() > 0.97  # a hue that is rounded the other way
        assert difference.mean() < 0.5


def test_a_hue_just_below_360_degrees_is_that_of_red() -> None:
    image = np.zeros((1, 8, 3), np.uint8)
    image[0, :, 0], image[0, :, 2] = range(8), 255  # blue makes the hue of red a little less than 360 degrees
    tables = colour_tables(np.array([0.5, 1.0, 1.0]))

    found = recolour(torch.from_numpy(image)[None].float(), torch.from_numpy(tables)[None]).numpy()[0]

    hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_BGR2HSV), tables[None])
    np.testing.assert_array_equal(found, cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))
