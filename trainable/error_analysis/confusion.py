"""Confusion matrix with background, as ``yolov5.utils.metrics.ConfusionMatrix`` counts it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trainable.error_analysis.matching import NONE
from trainable.error_analysis.pictures import Floats, Ints, Picture


def confusion_matrix(pictures: Iterable[Picture], classes: int, iou: float) -> Ints:
    """Count what was taken for what.

    Detections and labels are paired by overlap, whatever their classes and confidences: each detection goes to the
    label that it overlaps most, and of those each label keeps the one that overlaps it most. Two things are otherwise
    than in YOLOv5: an overlap of exactly ``iou`` is a pair (as everywhere else here), and the detections of a picture
    without pairs count as background, too, which YOLOv5 7.0 leaves out.

    Args:
        pictures:
            With the detections that are to be counted.
        classes:
            How many there are.
        iou:
            Least overlap of a pair.

    Returns:
        Shape (classes + 1, classes + 1): predicted class by true class; the last row has what was missed, the last
        column what was found where nothing is labelled.
    """
    matrix = np.zeros((classes + 1, classes + 1), np.int64)
    for picture in pictures:
        paired = pair(picture.overlap, iou)
        kept = paired != NONE
        missed = np.ones(len(picture.label_kinds), bool)
        missed[paired[kept]] = False
        np.add.at(matrix, (picture.kinds[kept], picture.label_kinds[paired[kept]]), 1)
        np.add.at(matrix, (picture.kinds[~kept], classes), 1)
        np.add.at(matrix, (classes, picture.label_kinds[missed]), 1)
    return matrix


def pair(overlap: Floats, least: float) -> Ints:
    """The label of each detection, shape (n,), or -1; ``overlap`` has shape (n, m)."""
    paired = np.full(len(overlap), NONE)
    if not overlap.size:
        return paired
    label, most = overlap.argmax(1), overlap.max(1)
    rows = np.flatnonzero(most >= least)
    rows = rows[np.argsort(-most[rows], kind="stable")]
    rows = rows[np.unique(label[rows], return_index=True)[1]]
    paired[rows] = label[rows]
    return paired
