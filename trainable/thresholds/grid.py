"""Which settings are tried."""

from __future__ import annotations

import math
from dataclasses import dataclass

from data_prep.errors import InputError
from trainable.nms import VAL, NmsSettings

RANKING = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Confidences for metrics that judge a ranking (mAP)."""
WORKING = (0.001, *(round(0.02 * step, 2) for step in range(1, 48)))
"""Confidences for metrics that judge the boxes at one confidence (F1): 0.02, 0.04 ... 0.94."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Every combination of these is tried; the defaults of ``yolov5 val`` are always among them.

    Attributes:
        ious:
            IoU thresholds of NMS.
        confidences:
            Confidence thresholds.
        max_detections:
            Most detections of an image.
        agnostic:
            Whether boxes of other classes suppress a box, too.

    Raises:
        InputError: A value is out of range.
    """

    ious: tuple[float, ...] = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.64, 0.68, 0.72, 0.76, 0.8, 0.85, 0.9)
    confidences: tuple[float, ...] = RANKING
    max_detections: tuple[int, ...] = (100, 300, 1000)
    agnostic: tuple[bool, ...] = (False, True)

    def __post_init__(self) -> None:
        for name, value in VAL.as_dict().items():
            axis = {"iou": "ious", "confidence": "confidences"}.get(name, name)
            object.__setattr__(self, axis, tuple(sorted({*getattr(self, axis), value})))
        self.cells()  # refuses what is out of range
        if self.confidences[0] < VAL.confidence:
            raise InputError(
                f"the grid has the confidence {self.confidences[0]:g}, and raw predictions are kept above "
                f"{VAL.confidence:g}; leave it out."
            )

    def cells(self) -> list[NmsSettings]:
        """All settings; of these axes the last one turns fastest: agnostic, IoU, detections, confidence."""
        return [
            NmsSettings(confidence, iou, most, agnostic)
            for agnostic in self.agnostic
            for iou in self.ious
            for most in self.max_detections
            for confidence in self.confidences
        ]


def distance(settings: NmsSettings) -> tuple[float, ...]:
    """How far settings are from the defaults; among equally good ones the closest are taken."""
    away = (
        abs(settings.iou - VAL.iou),
        abs(math.log(settings.confidence / VAL.confidence)),
        abs(math.log(settings.max_detections / VAL.max_detections)),
        float(settings.agnostic != VAL.agnostic),
    )
    return float(sum(part > 0 for part in away)), *away
