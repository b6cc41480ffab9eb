"""Pictures drawn at random, and the same pictures for the libraries that we are compared with."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.trainable.raw_images import draw_images
from trainable.error_analysis.pictures import Picture, pictures_of
from trainable.nms import NmsSettings

CLASSES = 3
SIDE = 512
"""Of the drawn pictures, in pixels."""


def drawn(count: int, seed: int, *, rows: int = 40) -> list[Picture]:
    """As a detector would leave them, some of it wrong."""
    return list(pictures_of(draw_images(count, CLASSES, seed, rows=rows), NmsSettings(0.001, 0.6)))


def picture(labels: Sequence[Sequence[float]], detections: Sequence[Sequence[float]], file: str = "a.jpg") -> Picture:
    """Labels are (class, x1, y1, x2, y2), detections (class, confidence, x1, y1, x2, y2) in any order."""
    wanted = np.array(labels, float).reshape(-1, 5)
    found = np.array(sorted(detections, key=lambda row: -row[1]), float).reshape(-1, 6)
    sure = found[:, 1].astype(np.float32).astype(float)
    return Picture(
        file, (SIDE, SIDE), wanted[:, 0].astype(int), wanted[:, 1:], found[:, 0].astype(int), sure, found[:, 2:]
    )


_EDGE = st.integers(0, 24)
_BOX = st.tuples(_EDGE, _EDGE, st.integers(1, 16), st.integers(1, 16)).map(
    lambda box: (box[0] * 10.0, box[1] * 10.0, (box[0] + box[2]) * 10.0 + 1, (box[1] + box[3]) * 10.0)
)
_KIND = st.integers(0, CLASSES - 1)
_SURE = st.integers(2, 99).map(lambda value: value / 100)
_LABELS = st.lists(st.tuples(_KIND, _BOX).map(lambda row: (row[0], *row[1])), max_size=5)
_DETECTIONS = st.lists(st.tuples(_KIND, _SURE, _BOX).map(lambda row: (row[0], row[1], *row[2])), max_size=8)


@st.composite
def scenes(draw: st.DrawFn) -> list[Picture]:
    """A few pictures, of which some have no label or no detection; many boxes and confidences are equal."""
    count = draw(st.integers(1, 3))
    found = []
    for number in range(count):
        labels = draw(_LABELS)
        echoes = [  # detections of a label: of its class or not, in its place or a little beside it
            (draw(_KIND), draw(_SURE), x1 + draw(st.sampled_from([0, 3, 30])), y1, x2 + 40, y2)
            for _, x1, y1, x2, y2 in labels
            if draw(st.booleans())
        ]
        found.append(picture(labels, [*draw(_DETECTIONS), *echoes], f"{number}.jpg"))
    return found


def coco_ap(pictures: Sequence[Picture], iou: float, kind: int, size: str) -> float:
    """Average precision of one class and size by pycocotools; its recalls are those at which the exact area steps.

    -1 where there is no such label.
    """
    truth, found = COCO(), []
    annotations, images = [], []
    for number, each in enumerate(pictures):
        images.append({"id": number})
        for label, box in zip(each.label_kinds, each.label_boxes, strict=True):
            x, y, w, h = _xywh(box)
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": int(label), "bbox": [x, y, w, h],
                 "area": w * h, "iscrowd": 0}
            )  # fmt: skip
        for own, sure, box in zip(each.kinds, each.confidences, each.boxes, strict=True):
            found.append({"image_id": number, "category_id": int(own), "bbox": _xywh(box), "score": float(sure)})
    truth.dataset = {
        "info": {}, "images": images, "annotations": annotations,
        "categories": [{"id": each} for each in range(CLASSES)],
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        if not found:
            return 0.0 if _of_size(annotations, kind, size) else -1.0
        judge = COCOeval(truth, truth.loadRes(found), "bbox")
        judge.params.iouThrs, judge.params.maxDets, judge.params.catIds = np.array([iou]), [1, 10, 1000], [kind]
        many = max(_of_size(annotations, kind, size), 1)
        judge.params.recThrs = (np.arange(many) + 0.5) / many
        judge.evaluate()
        judge.accumulate()
    area = judge.params.areaRngLbl.index(size)
    return float(judge.eval["precision"][0, :, 0, area, -1].mean())


def _of_size(annotations: Sequence[dict], kind: int, size: str) -> int:
    low, high = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}[size]
    return sum(each["category_id"] == kind and low <= each["area"] <= high for each in annotations)


def _xywh(box: np.ndarray) -> list[float]:
    x1, y1, x2, y2 = box.tolist()
    return [x1, y1, x2 - x1, y2 - y1]
