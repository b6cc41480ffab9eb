"""The fast path's augmentation against YOLOv5's own ``__getitem__`` with its own random streams, in distribution.

Each figure is taken once per image, so the two samples are of independent values; two-sample Kolmogorov-Smirnov tests
compare them. Seeds are fixed: a pass stays a pass.
"""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy import stats

from tests.trainable.augment.conftest import SIZE
from trainable.augmented import AugmentedBatches
from trainable.dataset import YoloDataset
from trainable.hyp import Hyp

ALPHA = 1e-3
EPOCHS = 60
GREY = 114
VIVID = 100
"""Least difference of blue and red in a square; that of the noise is 80."""
HYPS = {
    "default": Hyp(),
    "no mosaic": Hyp(mosaic=0.0, degrees=20.0, shear=8.0, translate=0.2, hsv_h=0.0, hsv_s=0.0, hsv_v=0.0, flipud=0.3),
    "mixup": Hyp(mixup=0.5, mosaic=0.8, hsv_h=0.3, hsv_s=0.5, hsv_v=0.6),
}

Samples = list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]]
"""Images (3, h, w) and their rows (boxes, 5): class, centre x, centre y, width, height."""


class _Unmatched:
    """Stands in for the matcher, whose anchors do not matter here: passes the targets on."""

    def refresh(self) -> None:
        pass

    def match(self, targets: torch.Tensor) -> Any:
        return targets


def fast(dataset: YoloDataset, hyp: Hyp) -> Samples:
    batches: Any = AugmentedBatches(dataset, hyp.as_dict(), 8, seed=11, matcher=_Unmatched())
    samples: Samples = []
    for number in range(EPOCHS):
        for images, targets in batches.epoch(number):
            rows = targets.numpy()
            samples += [(image.numpy(), rows[rows[:, 0] == at, 1:]) for at, image in enumerate(images)]
    return samples


def stock(dataset: YoloDataset, hyp: Hyp) -> Samples:
    random.seed(12)
    np.random.seed(12)  # noqa: NPY002  # YOLOv5 draws from it
    own = copy.copy(dataset)
    own.hyp = hyp.as_dict()
    samples: Samples = []
    for _ in range(EPOCHS):
        for index in range(dataset.n):
            image, rows, _, _ = own[index]
            samples.append((image.numpy(), rows.numpy()[:, 1:]))
    return samples


def figures(samples: Samples) -> dict[str, npt.NDArray[np.float64]]:
    """One value per image of each figure; of the boxes of an image one is taken, whose values depend on no other."""
    pick = np.random.default_rng(0)
    boxes = np.array([rows[pick.integers(len(rows))] for _, rows in samples if len(rows)], np.float64)
    pixels = np.stack([image for image, _ in samples])
    plain = pixels.max(1) == pixels.min(1)  # what is grey stays grey under any colour change
    red, green, blue = pixels.astype(np.int16).transpose(1, 0, 2, 3)
    square = blue - red > VIVID
    named = zip(("box class", "box x", "box y", "box width", "box height"), boxes.T, strict=True)
    channels = zip(("red", "green", "blue"), pixels.mean((2, 3)).T, strict=True)
    return {
        "boxes": np.array([len(rows) for _, rows in samples], np.float64),
        "squares": np.array([(rows[:, 0] == 1).mean() for _, rows in samples if len(rows)]),
        "box aspect": boxes[:, 3] / boxes[:, 4],
        "grey": (pixels == GREY).all(1).mean((1, 2)),
        "beside": plain.mean((1, 2)),
        "beside above": plain[:, : SIZE // 4].mean((1, 2)),
        "beside left": plain[:, :, : SIZE // 4].mean((1, 2)),
        "contrast": pixels.std((1, 2, 3)).astype(np.float64),
        "tint of squares": (green * square).sum((1, 2)) / square.sum((1, 2)).clip(1),
        **dict(named),
        **dict(channels),
    }


def p_values(one: Samples, other: Samples) -> dict[str, float]:
    ours, theirs = figures(one), figures(other)
    return {name: float(stats.ks_2samp(ours[name], theirs[name], method="asymp").pvalue) for name in ours}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("hyp", HYPS.values(), ids=HYPS.keys())
def test_it_is_distributed_as_yolov5s(hyp: Hyp, dataset: YoloDataset) -> None:
    found = p_values(fast(dataset, hyp), stock(dataset, hyp))

    assert {name: p for name, p in found.items() if p < ALPHA} == {}


CHANGES = {
    "translate": (Hyp(mosaic=0.0, translate=0.0), Hyp(mosaic=0.0, translate=0.2)),
    "scale": (Hyp(scale=0.5), Hyp(scale=0.3)),
    "degrees": (Hyp(), Hyp(degrees=20.0)),
    "mosaic": (Hyp(), Hyp(mosaic=0.85)),
    "mixup": (Hyp(), Hyp(mixup=0.25)),
    "hue": (Hyp(hsv_h=0.0), Hyp(hsv_h=0.2)),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("hyps", CHANGES.values(), ids=CHANGES.keys())
def test_a_small_difference_would_be_seen(hyps: tuple[Hyp, Hyp], dataset: YoloDataset) -> None:
    found = p_values(fast(dataset, hyps[0]), stock(dataset, hyps[1]))

    assert min(found.values()) < ALPHA
