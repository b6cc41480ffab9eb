from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.geometry import Repairs, clip_records, yolo_row
from data_prep.records import Box, ImageRecord, Source

coordinate = st.floats(-50, 450, allow_nan=False)


def picture(*boxes: Box) -> ImageRecord:
    return ImageRecord("a", Source(Path("a.jpg")), 320, 180, boxes)


@given(x1=coordinate, y1=coordinate, x2=coordinate, y2=coordinate)
def test_what_is_kept_lies_inside_and_survives_the_way_to_yolo_and_back(
    x1: float, y1: float, x2: float, y2: float
) -> None:
    (record,), repairs = clip_records([picture(Box(1, x1, y1, x2, y2))])
    assert repairs.dropped == 1 - len(record.boxes)
    for box in record.boxes:
        assert 0 <= box.x1 < box.x2 <= 320
        assert 0 <= box.y1 < box.y2 <= 180
        class_id, x, y, w, h = (float(text) for text in yolo_row(box, 320, 180).split())
        back = [(x - w / 2) * 320, (y - h / 2) * 180, (x + w / 2) * 320, (y + h / 2) * 180]
        assert class_id == 1
        assert min(w, h) > 0
        assert back == pytest.approx([box.x1, box.y1, box.x2, box.y2], abs=1e-3)


def test_repairs_are_counted() -> None:
    inside, over, outside, flat = Box(0, 1, 1, 5, 5), Box(0, -9, 1, 5, 5), Box(0, 330, 1, 340, 5), Box(0, 1, 1, 5, 1)
    (record,), repairs = clip_records([picture(inside, over, outside, flat)])
    assert record.boxes == (inside, Box(0, 0, 1, 5, 5))
    assert repairs == Repairs(clipped=1, dropped=2)


def test_rounding_of_a_yolo_label_is_no_repair() -> None:
    _, repairs = clip_records([picture(Box(0, -0.0002, 0, 10, 180.0001))])
    assert repairs == Repairs()
