"""Labels and detections in pixels, and their average precision by three libraries at one IoU."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import numpy as np
import torch
from map_boxes import mean_average_precision_for_boxes
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from trainable.matching import match_detections
from trainable.metrics import evaluate_matches
from trainable.validation import IOU_LEVELS

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2."""
MAP75 = 5
"""The column of IoU 0.75 in YOLOv5's ten."""


@dataclass(frozen=True)
class Scene:
    """What is on some pictures: labels (picture, class, box) and detections (picture, class, confidence, box)."""

    labels: list[tuple[int, int, Box]]
    detections: list[tuple[int, int, float, Box]]

    @property
    def pictures(self) -> list[int]:
        return sorted({row[0] for row in (*self.labels, *self.detections)})

    @property
    def classes(self) -> list[int]:
        """Those that have labels; the others count nowhere."""
        return sorted({row[1] for row in self.labels})


@dataclass(frozen=True)
class Curve:
    """Where one class's precision-recall curve ends."""

    recall: float
    precision: float
    """Of all detections."""


def by_us(scene: Scene) -> dict[int, float]:
    """AP75 per class as we and YOLOv5 have it."""
    names = [str(kind) for kind in range(max(scene.classes) + 1)]
    _, per_class = evaluate_matches(*matched(scene), names)
    return {int(name): found.map75 for name, found in per_class.items()}


def matched(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Correct (detections, 10), confidence and class of each detection, and class of each label."""
    rows = []
    for picture in scene.pictures:
        labels = [(kind, *box) for image, kind, box in scene.labels if image == picture]
        own = [(*box, sure, kind) for image, kind, sure, box in scene.detections if image == picture]
        # NMS hands them over by confidence.
        found = torch.tensor(sorted(own, key=lambda row: -row[4])).view(-1, 6).float()
        wanted = torch.tensor(labels).view(-1, 5).float()
        correct = match_detections(found[:, :4], found[:, 5], wanted[:, 1:], wanted[:, 0], IOU_LEVELS)
        rows.append((correct, found[:, 4].numpy(), found[:, 5].numpy(), wanted[:, 0].numpy()))
    correct, confidence, predicted, labelled = (np.concatenate(column) for column in zip(*rows, strict=True))
    return correct, confidence, predicted, labelled


def curves(scene: Scene) -> dict[int, Curve]:
    """Where the curve of each class ends at IoU 0.75, by our matching."""
    correct, _, predicted, labelled = matched(scene)
    ends = {}
    for kind in scene.classes:
        hits = correct[predicted == kind, MAP75]
        ends[kind] = Curve(float(hits.sum() / (labelled == kind).sum()), float(hits.mean()) if len(hits) else 0.0)
    return ends


def by_map_boxes(scene: Scene, *, see_backgrounds: bool = True) -> dict[int, float]:
    """AP75 per class of ``map-boxes``, which looks at no picture without labels.

    ``see_backgrounds`` puts a label of a class of its own on each picture, so that it does.
    """
    labels = [[str(image), str(kind), *_xxyy(box)] for image, kind, box in scene.labels]
    if see_backgrounds:
        labels += [[str(image), "background", 0.0, 1.0, 0.0, 1.0] for image in scene.pictures]
    # It takes detections in the order of the table; elsewhere the more confident one has the first choice.
    ordered = sorted(scene.detections, key=lambda row: -row[2])
    found = [[str(image), str(kind), sure, *_xxyy(box)] for image, kind, sure, box in ordered]
    _, per_class = mean_average_precision_for_boxes(
        np.array(labels, dtype=object), np.array(found, dtype=object), iou_threshold=0.75, verbose=False
    )
    return {kind: float(per_class[str(kind)][0]) for kind in scene.classes}


def by_coco(scene: Scene, *, most: int = 300) -> dict[int, float]:
    """AP75 per class of pycocotools; ``most`` detections of each class and picture count (COCO's own is 100)."""
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": image} for image in scene.pictures],
        "categories": [{"id": kind} for kind in sorted({*scene.classes, *(row[1] for row in scene.detections)})],
        "annotations": [
            {
                "id": index + 1,
                "image_id": image,
                "category_id": kind,
                "bbox": _xywh(box),
                "iscrowd": 0,
                "area": _area(box),
            }
            for index, (image, kind, box) in enumerate(scene.labels)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes(
            [
                {"image_id": image, "category_id": kind, "bbox": _xywh(box), "score": sure}
                for image, kind, sure, box in scene.detections
            ]
        )
        judge = COCOeval(truth, found, "bbox")
        judge.params.iouThrs, judge.params.maxDets = np.array([0.75]), [1, 10, most]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][0, :, :, 0, -1]  # (101 recalls, classes), every area
    index = {kind: place for place, kind in enumerate(judge.params.catIds)}
    return {kind: float(precision[:, index[kind]].mean()) for kind in scene.classes}


def contested(scene: Scene) -> int:
    """How many detections overlap two labels of their class by 0.75 or more: only there the matchings differ."""
    count = 0
    for image, kind, _, box in scene.detections:
        rivals = [label for other, name, label in scene.labels if (other, name) == (image, kind)]
        count += sum(overlap(box, label) >= 0.75 for label in rivals) > 1
    return count


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (_area(one) + _area(other) - shared)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _xxyy(box: Box) -> list[float]:
    return [box[0], box[2], box[1], box[3]]


def _xywh(box: Box) -> list[float]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]
