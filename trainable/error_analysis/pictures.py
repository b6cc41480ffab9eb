"""Pictures with their labels and the detections that NMS leaves, in pixels of the picture itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import torch

from trainable.nms import NmsSettings, cut, keep
from trainable.prefetch import prefetch
from trainable.raw_file import RawImage
from trainable.yolov5_parts import scale_boxes, xywh2xyxy

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture; row i of a detection's (label's) fields belongs to detection (label) i.

    Attributes:
        file:
            The picture.
        size:
            Width and height in pixels.
        label_kinds:
            Shape (m,): class of each label.
        label_boxes:
            Shape (m, 4): xyxy in pixels.
        kinds:
            Shape (n,): class of each detection.
        confidences:
            Shape (n,), falling; the values are those of float32.
        boxes:
            Shape (n, 4): xyxy in pixels.
    """

    file: str
    size: tuple[int, int]
    label_kinds: Ints
    label_boxes: Floats
    kinds: Ints
    confidences: Floats
    boxes: Floats

    @cached_property
    def overlap(self) -> Floats:
        """IoU of each detection with each label, of whatever class; shape (n, m)."""
        return box_iou(self.boxes, self.label_boxes)

    @property
    def same_class(self) -> Bools:
        """Whether a detection is of a label's class; shape (n, m)."""
        same: Bools = self.kinds[:, None] == self.label_kinds
        return same

    def above(self, confidence: float) -> Picture:
        """With the detections alone that are more confident than a threshold, in float32 as in YOLOv5."""
        count = int((self.confidences > np.float32(confidence)).sum())
        return replace(
            self, kinds=self.kinds[:count], confidences=self.confidences[:count], boxes=self.boxes[:count]
        )  # fmt: skip


def pictures_of(images: Iterable[RawImage], settings: NmsSettings) -> Iterator[Picture]:
    """Suppress (NMS) the raw predictions of each image and bring all boxes to the picture's own pixels."""
    yield from prefetch(partial(_picture_of, settings=settings), images, len(os.sched_getaffinity(0)))


def native_boxes(image: RawImage, boxes: torch.Tensor) -> torch.Tensor:
    """Boxes (n, 4), xyxy in pixels of the network's input, in pixels of the picture, clipped to it."""
    native: torch.Tensor = scale_boxes(image.size, boxes.clone(), *image.letterbox)
    return native


def native_labels(image: RawImage) -> torch.Tensor:
    """The labels of an image, shape (m, 4): xyxy in pixels of the picture."""
    height, width = image.size
    return native_boxes(image, xywh2xyxy(image.labels[:, 1:] * torch.tensor((width, height, width, height))))


def box_iou(ours: Floats, theirs: Floats) -> Floats:
    """Intersection over union of boxes (n, 4) and (m, 4), xyxy, shape (n, m); 0 for boxes without area."""
    shared = intersection(ours, theirs)
    union = area(ours)[:, None] + area(theirs) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)


def intersection(ours: Floats, theirs: Floats) -> Floats:
    """Area that boxes (n, 4) and (m, 4), xyxy, share; shape (n, m)."""
    low = np.maximum(ours[:, None, :2], theirs[:, :2])
    sides = (np.minimum(ours[:, None, 2:], theirs[:, 2:]) - low).clip(0)
    shared: Floats = sides[..., 0] * sides[..., 1]
    return shared


def area(boxes: Floats) -> Floats:
    """Areas of boxes (n, 4), xyxy."""
    areas: Floats = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


@torch.inference_mode()
def _picture_of(image: RawImage, settings: NmsSettings) -> Picture:
    found = keep(cut(image.candidates, settings.confidence), settings)
    height, width = image.letterbox[0]
    return Picture(
        image.file,
        (width, height),
        image.labels[:, 0].numpy().astype(np.int64),
        native_labels(image).numpy().astype(np.float64),
        found[:, 5].numpy().astype(np.int64),
        found[:, 4].numpy().astype(np.float64),
        native_boxes(image, found[:, :4]).numpy().astype(np.float64),
    )
