"""The confusion matrix is YOLOv5's, apart from what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from yolov5.utils.metrics import ConfusionMatrix

from tests.trainable.error_analysis.scenes import CLASSES, drawn, picture, scenes
from trainable.error_analysis.confusion import confusion_matrix
from trainable.error_analysis.pictures import Picture


def by_yolov5(pictures: list[Picture], iou: float) -> np.ndarray:
    """As ``yolov5.val.run`` feeds it; and the background detections that it leaves out."""
    matrix = ConfusionMatrix(CLASSES, conf=0.0, iou_thres=iou)
    for each in pictures:
        labels = torch.from_numpy(np.column_stack((each.label_kinds, each.label_boxes))).double()
        found = torch.from_numpy(np.column_stack((each.boxes, each.confidences, each.kinds))).double()
        if len(labels):
            matrix.process_batch(found if len(found) else None, labels if len(found) else labels[:, 0])
        if not (each.overlap > iou).any():
            np.add.at(matrix.matrix, (each.kinds, CLASSES), 1)
    return matrix.matrix


@pytest.mark.parametrize("iou", [0.3, 0.5, 0.75])
def test_as_yolov5_counts(iou: float) -> None:
    pictures = drawn(40, 1)
    ours = confusion_matrix(pictures, CLASSES, iou)
    assert np.array_equal(ours, by_yolov5(pictures, iou))
    assert (ours > 0).sum() > 10


@settings(max_examples=100, deadline=None)
@given(scenes())
def test_every_label_and_detection_is_in_it_once(pictures: list[Picture]) -> None:
    matrix = confusion_matrix(pictures, CLASSES, 0.5)
    labelled = np.bincount(np.concatenate([each.label_kinds for each in pictures]), minlength=CLASSES)
    predicted = np.bincount(np.concatenate([each.kinds for each in pictures]), minlength=CLASSES)
    assert matrix.sum(0)[:-1].tolist() == labelled.tolist()
    assert matrix.sum(1)[:-1].tolist() == predicted.tolist()
    assert matrix[-1, -1] == 0


def test_a_picture_without_labels_has_background_alone() -> None:
    found = confusion_matrix([picture([], [(1, 0.9, 0, 0, 9, 9)]), picture([], [])], 2, 0.5)
    assert found.tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
