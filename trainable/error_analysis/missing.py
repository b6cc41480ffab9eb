"""Likely missing labels: predictions without a box that stand whatever the thresholds are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from data_prep.errors import InputError
from trainable.error_analysis.pictures import (
    Bools,
    Floats,
    Picture,
    area,
    box_iou,
    intersection,
    native_boxes,
    native_labels,
)  # fmt: skip
from trainable.error_analysis.quality import rank
from trainable.nms import NmsSettings, keep
from trainable.raw_file import RawImage


@dataclass(frozen=True, kw_only=True)
class MissingRules:
    """What is taken for a missing label; see docs/errors.md for what each rule does to the list.

    Attributes:
        precision:
            A prediction is at least so confident that of those of its class which are, this share is right.
        match_iou:
            Overlap that makes a prediction right. One is enough: what has the precision at it has it at less, too.
        nms_ious:
            NMS, all classes together, keeps it at every one of these IoUs.
        clear_iou:
            It overlaps every label of whatever class by less.
        inside:
            Less than this share of it lies within any one label, and it holds this share of one label at most: it is
            neither a part of what is labelled nor a group of it.

    Raises:
        InputError: A value is out of range.
    """

    precision: float = 0.8
    match_iou: float = 0.5
    nms_ious: tuple[float, ...] = (0.3, 0.5, 0.7)
    clear_iou: float = 0.3
    inside: float = 0.7

    def __post_init__(self) -> None:
        values = (self.precision, self.match_iou, *self.nms_ious, self.clear_iou, self.inside)
        if not all(0 < value <= 1 for value in values):
            raise InputError(f"a rule for missing labels is out of range: give numbers in (0, 1]; they are {self}.")

    def as_dict(self) -> dict[str, Any]:
        """Key to value, as JSON can hold them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


class Missing(NamedTuple):
    """A label that is likely to be missing.

    Attributes:
        file:
            The picture.
        size:
            Its width and height in pixels.
        kind:
            The predicted class.
        box:
            xyxy in pixels of the picture.
        confidence:
            Of the prediction.
    """

    file: str
    size: tuple[int, int]
    kind: int
    box: tuple[float, float, float, float]
    confidence: float


def least_confidences(pictures: Sequence[Picture], classes: int, rules: MissingRules) -> Floats:
    """How confident a prediction of each class must be, shape (classes,); infinite where nothing is enough."""
    least, ranking = np.full(classes, np.inf), rank(pictures, classes, rules.match_iou)
    for kind in range(classes):
        confidences, right = ranking.of(kind)
        reached = np.flatnonzero(right.cumsum() >= rules.precision * np.arange(1, len(right) + 1))
        if len(reached):
            least[kind] = confidences[reached[-1]]
    return least


def missing_labels(images: Iterable[RawImage], least: Floats, rules: MissingRules) -> list[Missing]:
    """The likely missing labels of all images, the most confident first.

    Args:
        images:
            Raw predictions.
        least:
            Of :func:`least_confidences`.
        rules:
            Those.
    """
    found = [each for image in images for each in _of_image(image, least, rules)]
    return sorted(found, key=lambda each: (-each.confidence, each.file, each.box))


@torch.inference_mode()
def _of_image(image: RawImage, least: Floats, rules: MissingRules) -> Iterator[Missing]:
    rows = _stable(image, float(least.min(initial=np.inf)), rules)
    if not len(rows):
        return
    boxes = native_boxes(image, rows[:, :4]).numpy().astype(np.float64)
    kinds, confidences = rows[:, 5].numpy().astype(np.int64), rows[:, 4].numpy().astype(np.float64)
    wanted = (confidences >= least[kinds]) & _clear(boxes, native_labels(image).numpy().astype(np.float64), rules)
    height, width = image.letterbox[0]
    for row in np.flatnonzero(wanted):
        x1, y1, x2, y2 = boxes[row].tolist()
        yield Missing(image.file, (width, height), int(kinds[row]), (x1, y1, x2, y2), float(confidences[row]))


def _stable(image: RawImage, least: float, rules: MissingRules) -> torch.Tensor:
    """The candidates that NMS keeps at every IoU; what is less confident than ``least`` decides nothing of them."""
    rows = image.candidates[image.candidates[:, 4] >= least]
    numbered = torch.cat((rows, torch.arange(len(rows))[:, None]), 1)
    kept = torch.ones(len(rows), dtype=torch.bool)
    for iou in rules.nms_ious:
        here = torch.zeros_like(kept)
        here[keep(numbered, NmsSettings(iou=iou, max_detections=max(len(rows), 1), agnostic=True))[:, 6].long()] = True
        kept &= here
    return rows[kept]


def _clear(boxes: Floats, labels: Floats, rules: MissingRules) -> Bools:
    """Which boxes lie clear of all labels."""
    if not len(labels):
        return np.ones(len(boxes), bool)
    shared = intersection(boxes, labels)
    part = (shared >= rules.inside * np.maximum(area(boxes), 1e-9)[:, None]).any(1)
    group = (shared >= rules.inside * np.maximum(area(labels), 1e-9)).sum(1) > 1
    clear: Bools = (box_iou(boxes, labels).max(1) < rules.clear_iou) & ~part & ~group
    return clear
