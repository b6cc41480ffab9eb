"""Boxes in pixels of the picture are those that validation matches."""

from __future__ import annotations

import numpy as np
import torch

from tests.trainable.error_analysis.scenes import picture
from tests.trainable.raw_images import draw_images
from trainable.error_analysis.pictures import box_iou, pictures_of
from trainable.nms import VAL, NmsSettings, cut, keep
from trainable.raw_file import RawImage
from trainable.validation import correct_detections


def test_boxes_overlap_as_in_validation() -> None:
    """A detection of a label's class that reaches 0.5 there reaches it here."""
    images = draw_images(20, 1, seed=2)
    for each, image in zip(pictures_of(images, VAL), images, strict=True):
        found = keep(cut(image.candidates, VAL.confidence), VAL)
        labels = image.labels.clone()
        labels[:, 1:] *= torch.tensor(image.size).flip(0).repeat(2)
        correct = correct_detections(found, labels, image.size, image.letterbox)[:, 0]
        assert set(np.flatnonzero(correct)) <= set(np.flatnonzero(each.overlap.max(1) >= 0.5))
        assert each.size == (512, 512)
        assert (each.boxes >= 0).all()
        assert (each.boxes <= 512).all()


def test_a_letterbox_is_undone() -> None:
    rows = torch.tensor([[40.0, 60.0, 80.0, 100.0, 0.9, 1.0]])
    labels = torch.tensor([[1.0, 60 / 160, 80 / 128, 40 / 160, 40 / 128]])
    image = RawImage("a.jpg", ((200, 300), ((0.5, 0.5), (5.0, 14.0))), (128, 160), rows, labels)
    (found,) = pictures_of([image], NmsSettings())
    assert np.allclose(found.boxes, [[70, 92, 150, 172]], atol=1e-3)
    assert np.allclose(found.label_boxes, found.boxes, atol=1e-3)
    assert (found.size, found.kinds.tolist(), found.label_kinds.tolist()) == ((300, 200), [1], [1])


def test_boxes_without_area_overlap_nothing() -> None:
    assert box_iou(np.zeros((1, 4)), np.zeros((1, 4))).tolist() == [[0.0]]
    assert picture([], []).overlap.shape == (0, 0)


def test_above_is_more_confident_than() -> None:
    seen = picture([], [(0, 0.3, 0, 0, 9, 9), (1, 0.7, 0, 0, 9, 9), (0, 0.5, 0, 0, 9, 9)])
    assert seen.above(0.3).kinds.tolist() == [1, 0]
    assert seen.above(0.7).boxes.shape == (0, 4)
