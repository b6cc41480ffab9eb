"""YOLO label files from records."""

from __future__ import annotations

from data_prep.records import Box, ImageRecord


def label_text(record: ImageRecord) -> str:
    """Return the content of a YOLO label file, one row per box; empty for a background picture."""
    return "".join(f"{yolo_row(box, record.width, record.height)}\n" for box in record.boxes)


def yolo_row(box: Box, width: int, height: int) -> str:
    """Write a box as YOLO does: ``class x_centre y_centre width height``, the four normalised to the picture.

    Six digits are at most a hundredth of a pixel in a picture of 10,000 pixels.
    """
    x, y = (box.x1 + box.x2) / 2 / width, (box.y1 + box.y2) / 2 / height
    w, h = (box.x2 - box.x1) / width, (box.y2 - box.y1) / height
    return f"{box.class_id} {x:.6f} {y:.6f} {w:.6f} {h:.6f}"
