from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from data_prep.export import label_text, yolo_row
from data_prep.records import Box, ImageRecord

sides = st.tuples(st.integers(1, 8000), st.integers(1, 8000))


@given(size=sides, corners=st.tuples(*[st.floats(0, 1)] * 4), class_id=st.integers(0, 79))
def test_row_read_back_is_the_box_to_a_hundredth_of_a_pixel(
    size: tuple[int, int], corners: tuple[float, float, float, float], class_id: int
) -> None:
    width, height = size
    x1, x2 = sorted(value * width for value in corners[:2])
    y1, y2 = sorted(value * height for value in corners[2:])
    row = yolo_row(Box(class_id, x1, y1, x2, y2), width, height).split()
    assert int(row[0]) == class_id
    x, y, w, h = (float(text) for text in row[1:])
    back = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
    assert max(abs(a - b) for a, b in zip(back, (x1, y1, x2, y2), strict=True)) < 0.011
    assert all(0 <= value <= 1 for value in (x, y, w, h))


def test_label_has_a_row_per_box_and_is_empty_for_background() -> None:
    record = ImageRecord("a", None, 100, 50, (Box(1, 0, 0, 100, 50), Box(0, 10, 10, 20, 20)))
    assert label_text(record) == "1 0.500000 0.500000 1.000000 1.000000\n0 0.150000 0.300000 0.100000 0.200000\n"
    assert label_text(ImageRecord("a", None, 100, 50)) == ""
