"""The oracle: each setting by itself, from NMS at its own thresholds to YOLOv5's metrics; nothing is cut afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from yolov5.utils.general import non_max_suppression, scale_boxes, xywh2xyxy
from yolov5.utils.metrics import ap_per_class
from yolov5.val import process_batch

from trainable.nms import NmsSettings
from trainable.raw_file import RawImage

Counted = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Correct (n, 10), confidence (n,), class (n,), classes of the labels (m,)."""


def detections(image: RawImage, settings: NmsSettings) -> torch.Tensor:
    """YOLOv5's NMS of an image's candidates, each of them as a network's output of one certain class."""
    rows = image.candidates
    classes = 3
    output = torch.zeros(len(rows), 5 + classes)
    output[:, :2], output[:, 2:4] = (rows[:, :2] + rows[:, 2:4]) / 2, rows[:, 2:4] - rows[:, :2]
    output[:, 4] = 1
    output[torch.arange(len(rows)), 5 + rows[:, 5].long()] = rows[:, 4]
    found = non_max_suppression(
        output[None], settings.confidence, settings.iou, agnostic=settings.agnostic, multi_label=True,
        max_det=settings.max_detections,
    )  # fmt: skip
    return found[0]


def matched(images: Iterable[RawImage], settings: NmsSettings | Sequence[NmsSettings]) -> Counted:
    """Detections of all images with process_batch; settings for all or one for each."""
    parts = []
    for index, image in enumerate(images):
        found = detections(image, settings if isinstance(settings, NmsSettings) else settings[index])
        labels = image.labels.clone()
        labels[:, 1:] = xywh2xyxy(labels[:, 1:] * torch.tensor(image.size).flip(0).repeat(2))
        scale_boxes(image.size, found[:, :4], *image.letterbox)
        scale_boxes(image.size, labels[:, 1:], *image.letterbox)
        correct = torch.zeros(len(found), 10, dtype=torch.bool)
        if len(found) and len(labels):
            correct = process_batch(found, labels, torch.linspace(0.5, 0.95, 10))
        parts.append((correct.numpy(), found[:, 4].numpy(), found[:, 5].numpy(), labels[:, 0].numpy()))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))  # type: ignore[return-value]


def map_of(counted: Counted, column: int | None) -> float:
    """YOLOv5's mean average precision at one IoU level, or over all."""
    ap = ap_per_class(*counted, plot=False, names={0: "a", 1: "b", 2: "c"})[5]
    return float((ap.mean(1) if column is None else ap[:, column]).mean())


def working_point(counted: Counted, column: int) -> tuple[float, float, float]:
    """Mean over the classes with labels of precision, recall and F1 of the boxes that are there."""
    correct, _, kind, labelled = counted
    rows = []
    for one in np.unique(labelled):
        right, said, wanted = correct[kind == one, column].sum(), (kind == one).sum(), (labelled == one).sum()
        precision, recall = right / said if said else 1.0, right / wanted
        rows.append((precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0))
    return tuple(np.mean(rows, axis=0).tolist())
