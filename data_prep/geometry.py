"""Boxes from pixels to YOLO's normalised form, and what is done to a box that sticks out of its picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from data_prep.records import Box, ImageRecord

#: A box whose side is shorter than this, in pixels, is no box: six digits of a normalised side could not show
#: it.
MIN_SIDE = 0.01


@dataclass(frozen=True, slots=True)
class Repairs:
    """What had to be changed in the labels, for the manifest.

    Attributes:
        clipped:
            Boxes that reached out of their picture and were cut at its edge.
        dropped:
            Boxes that had no area, or none inside the picture.
    """

    clipped: int = 0
    dropped: int = 0


def clip_records(records: Iterable[ImageRecord]) -> tuple[tuple[ImageRecord, ...], Repairs]:
    """Cut boxes at the picture's edge and drop those without area; YOLOv5 would ignore the whole picture.

    Returns:
        The records in the same order, and how many boxes were touched.
    """
    clipped = dropped = 0
    repaired = []
    for record in records:
        boxes = [_clip(box, record.width, record.height) for box in record.boxes]
        kept = tuple(box for box in boxes if box is not None)
        kept_raw = [old for old, new in zip(record.boxes, boxes, strict=True) if new is not None]
        dropped += len(boxes) - len(kept)
        clipped += sum(_sticks_out(box, record.width, record.height) for box in kept_raw)
        repaired.append(replace(record, boxes=kept))
    return tuple(repaired), Repairs(clipped, dropped)


def yolo_row(box: Box, width: int, height: int) -> str:
    """Write a box as YOLO does: ``class x_centre y_centre width height``, the four normalised to the picture.

    Six digits are at most a hundredth of a pixel in a picture of 10,000 pixels.
    """
    x, y = (box.x1 + box.x2) / 2 / width, (box.y1 + box.y2) / 2 / height
    w, h = (box.x2 - box.x1) / width, (box.y2 - box.y1) / height
    return f"{box.class_id} {x:.6f} {y:.6f} {w:.6f} {h:.6f}"


def _sticks_out(box: Box, width: int, height: int) -> bool:
    """Tell whether a box reaches out of its picture by more than the rounding of a YOLO label."""
    beyond = max(-box.x1, -box.y1, box.x2 - width, box.y2 - height)
    return beyond > MIN_SIDE


def _clip(box: Box, width: int, height: int) -> Box | None:
    x1, x2 = max(box.x1, 0.0), min(box.x2, float(width))
    y1, y2 = max(box.y1, 0.0), min(box.y2, float(height))
    if x2 - x1 < MIN_SIDE or y2 - y1 < MIN_SIDE:
        return None
    return Box(box.class_id, x1, y1, x2, y2)
