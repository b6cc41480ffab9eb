"""Non-maximum suppression (NMS) of one image: YOLOv5's result without suppressing what cannot be among it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
import torchvision

from data_prep.errors import InputError
from trainable.yolov5_parts import xywh2xyxy

CONFIDENCE = 0.001
IOU = 0.6
MAX_DETECTIONS = 300
MAX_CANDIDATES = 30000
"""Boxes that NMS looks at, the most confident first (YOLOv5's ``max_nms``)."""
CLASS_OFFSET = 7680.0
"""Pixels by which classes are moved apart, so that they do not suppress each other (YOLOv5's ``max_wh``)."""
CHUNK = 512
"""Boxes that are looked at together; the fastest of 256, 384, 512, 768 (docs/log.md)."""


@dataclass(frozen=True)
class NmsSettings:
    """Which of a network's boxes are detections; the defaults are those of ``yolov5 val``.

    Attributes:
        confidence:
            A detection is more confident than this, in [0, 1).
        iou:
            A box that overlaps a more confident one of its class by more than this is none, in [0, 1].
        max_detections:
            Most detections of an image, at least 1.
        agnostic:
            Whether boxes of other classes suppress a box, too.

    Raises:
        InputError: A value is out of range.
    """

    confidence: float = CONFIDENCE
    iou: float = IOU
    max_detections: int = MAX_DETECTIONS
    agnostic: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.confidence < 1:
            raise InputError(f"the confidence threshold is {self.confidence}: give a number in [0, 1).")
        if not 0 <= self.iou <= 1:
            raise InputError(f"the IoU threshold of NMS is {self.iou}: give a number in [0, 1].")
        if self.max_detections < 1:
            raise InputError(f"the most detections of an image are {self.max_detections}: give at least 1.")

    def as_dict(self) -> dict[str, Any]:
        """Key to value, as JSON and YAML can hold them."""
        return dataclasses.asdict(self)


VAL = NmsSettings()
"""What ``yolov5 val`` takes, and every validation here."""
DETECT = NmsSettings(confidence=0.25, iou=0.45, max_detections=1000)
"""What ``yolov5 detect`` takes."""


def suppress(prediction: torch.Tensor, settings: NmsSettings = VAL) -> torch.Tensor:
    """The detections of one image (``yolov5.utils.general.non_max_suppression`` with ``multi_label``).

    Equally confident boxes come in the order in which torch's unstable sort leaves them, as in YOLOv5: an untrained
    network has many of them, and its figures are to be YOLOv5's.

    Args:
        prediction:
            Shape (candidates, 5 + classes): xywh in pixels, objectness, class probabilities; left as it is.
        settings:
            What is taken for a detection.

    Returns:
        Shape (detections, 6): xyxy in pixels, confidence, class; most confident first.
    """
    return keep(candidates_of(prediction, settings.confidence, stable=False), settings)


def candidates_of(prediction: torch.Tensor, confidence: float, *, stable: bool = True) -> torch.Tensor:
    """What NMS chooses from: a row for each box and class that is likely enough.

    Args:
        prediction:
            As :func:`suppress` takes it.
        confidence:
            Objectness times class probability is above this.
        stable:
            Whether equally confident boxes stand in an order that does not depend on the threshold.

    Returns:
        Shape (rows, 6): xyxy in pixels, confidence, class; most confident first, at most :data:`MAX_CANDIDATES`.
    """
    rows = _candidates(prediction[prediction[:, 4] > confidence], confidence)
    return rows[rows[:, 4].argsort(descending=True, stable=stable)[:MAX_CANDIDATES]]


def cut(rows: torch.Tensor, confidence: float) -> torch.Tensor:
    """The rows that are more confident than a threshold; a prefix, because they are sorted.

    Args:
        rows:
            Shape (rows, 6) as :func:`candidates_of` or :func:`keep` returns them.
        confidence:
            The threshold.
    """
    return rows[: int((rows[:, 4] > confidence).sum())]


def keep(candidates: torch.Tensor, settings: NmsSettings) -> torch.Tensor:
    """Greedy NMS: each candidate, the most confident first, unless it overlaps one that was kept before it.

    Whether a box is kept depends on more confident boxes alone. So boxes are looked at in chunks, each together with
    those that were kept before it, until there are enough.

    And so a cut commutes with it: for ``a <= b``, ``keep`` of the candidates above ``b`` is what ``keep`` of those
    above ``a`` has above ``b``. Proof: both lists are sorted the same (stably), and the first is a prefix of the second
    (of at most :data:`MAX_CANDIDATES` rows: the prefix of a prefix). By induction along the prefix each box meets the
    same kept boxes in both and is decided the same; what comes behind it decides nothing about it. Its first
    ``max_detections`` are a prefix, too, so the two cuts commute with each other. Objectness is cut at the same
    threshold and changes nothing: a class probability is at most 1 and rounding is monotone, so objectness is never
    below the product. :mod:`trainable.thresholds` rests on this.

    Args:
        candidates:
            Shape (rows, 6): xyxy in pixels, confidence, class; most confident first, all of them above
            ``settings.confidence``.
        settings:
            IoU, number of detections, and whether classes are told apart.

    Returns:
        Shape (detections, 6): those of the rows that are detections, in their order.
    """
    offset = 0.0 if settings.agnostic else CLASS_OFFSET
    boxes, scores = candidates[:, :4] + candidates[:, 5:6] * offset, candidates[:, 4]
    places = torch.arange(len(candidates), device=candidates.device)
    kept = places[:0]
    for chunk in torch.split(places, CHUNK):
        among = torch.cat((kept, chunk))
        kept = among[torchvision.ops.nms(boxes[among], scores[among], settings.iou)]
        if len(kept) >= settings.max_detections:
            break
    return candidates[kept[: settings.max_detections]]


def _candidates(rows: torch.Tensor, least: float) -> torch.Tensor:
    """A row for each box and class that is likely enough: xyxy, confidence, class."""
    boxes, confidence = xywh2xyxy(rows[:, :4]), rows[:, 5:] * rows[:, 4:5]
    if confidence.shape[1] > 1:
        box, kind = (confidence > least).nonzero(as_tuple=True)
        return torch.cat((boxes[box], confidence[box, kind, None], kind[:, None].float()), 1)
    rows = torch.cat((boxes, confidence, torch.zeros_like(confidence)), 1)
    return rows[confidence.view(-1) > least]
