"""Which detections of an image are right, at ten IoU levels at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torchvision.ops import box_iou


def match_detections(
    detections: torch.Tensor,
    classes: torch.Tensor,
    boxes: torch.Tensor,
    labels: torch.Tensor,
    levels: npt.NDArray[np.float32],
) -> npt.NDArray[np.bool_]:
    """Match detections to labels (``yolov5.val.process_batch``).

    A detection goes to the label of its class that it overlaps most; of the detections of one label the first, which
    is the most confident, is right. YOLOv5 finds that by sorting all pairs at each level; but the label of a
    detection is the same at all levels that its IoU reaches.

    Args:
        detections:
            Shape (n, 4), xyxy, most confident first.
        classes:
            Shape (n,).
        boxes:
            Shape (m, 4), xyxy.
        labels:
            Shape (m,): classes of the boxes.
        levels:
            Shape (k,): least IoU of a match.

    Returns:
        Shape (n, k).
    """
    correct = np.zeros((len(detections), len(levels)), dtype=bool)
    if not len(detections) or not len(boxes):
        return correct
    overlap = box_iou(boxes, detections) * (labels[:, None] == classes)
    iou, label = (values.numpy() for values in overlap.max(0))
    for column, level in enumerate(levels):
        reached = np.flatnonzero(iou >= level)
        correct[reached[np.unique(label[reached], return_index=True)[1]], column] = True
    return correct
