from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.eda.charts import class_colour
from data_prep.eda.sheets import (
    ALL_PICTURES,
    MARK,
    SHEET_PICTURES,
    Wanted,
    choose,
    class_sheets,
    draw_sheets,
    worst_sheet,
)
from data_prep.errors import InputError
from data_prep.findings import Finding, Kind
from data_prep.progress import silent
from data_prep.records import Box, ImageRecord, Source
from tests.data_prep.eda.conftest import jpeg, record, square


def drawn(wanted: Wanted, content: bytes) -> Image.Image:
    shown = draw_sheets({"a": [wanted]}, lambda source: content, silent)["a"][0]
    picture = Image.open(io.BytesIO(shown.jpeg))
    assert picture.size == (shown.width, shown.height)
    return picture


def near(picture: Image.Image, at: tuple[int, int], colour: str) -> bool:
    wanted = tuple(int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return bool(np.abs(np.subtract(picture.getpixel(at), wanted)).max() < 60)


def test_boxes_are_drawn_where_they_are_after_scaling() -> None:
    wanted = Wanted(record("a", Box(0, 400, 200, 1000, 800), width=1440, height=1080), "a", class_id=0)
    picture = drawn(wanted, jpeg(1440, 1080))
    assert picture.size == (360, 270)
    for at in ((100, 120), (150, 50), (250, 100), (180, 200)):  # left, top, right, bottom edge
        assert near(picture, at, class_colour(0)), at
    assert near(picture, (180, 120), "#ffffff")


def test_a_turned_picture_is_shown_upright() -> None:
    content = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200), "white").save(content, "JPEG", exif=exif)
    picture = drawn(
        Wanted(record("a", Box(1, 0, 300, 100, 400), width=200, height=400), "a", class_id=1), content.getvalue()
    )
    assert picture.size == (180, 360)
    assert near(picture, (45, 270), class_colour(1))


def test_boxes_of_other_classes_are_thin() -> None:
    boxes = (square(0, 100, 50, 50), square(1, 100, 200, 50))
    picture = drawn(Wanted(record("a", *boxes, width=360, height=270), "a", class_id=0), jpeg(360, 270))
    row = [picture.getpixel((x, 100)) for x in range(360)]
    coloured = [sum(np.min(pixel) < 170 for pixel in row[start : start + 20]) for start in (40, 190)]
    assert coloured[0] >= 3 > coloured[1] >= 1


@pytest.mark.parametrize(
    ("mode", "value"), [("L", 128), ("P", 3), ("RGBA", (0, 0, 0, 128)), ("I;16", 128 * 257), ("1", 1)]
)
def test_every_kind_of_picture_is_shown(mode: str, value: int) -> None:
    content = io.BytesIO()
    Image.new(mode, (400, 300), value).save(content, "PNG")
    picture = drawn(Wanted(record("a"), "a"), content.getvalue())
    assert mode != "I;16" or near(picture, (50, 50), "#808080")


def test_what_cannot_be_read_is_a_gap_with_its_caption() -> None:
    def read(source: Source) -> bytes:
        if source.stem == "gone":
            raise InputError("gone.jpg cannot be read; fetch it again")
        return {"cut": jpeg()[:300], "text": b"no picture", "empty": b""}[source.stem]

    wanted = [Wanted(record(key), key) for key in ("gone", "cut", "text", "empty")]
    wanted.append(Wanted(record("boxes", pictured=False), "boxes"))
    shown = draw_sheets({"a": wanted}, read, silent)["a"]
    assert [(item.caption, item.jpeg) for item in shown] == [(item.caption, b"") for item in wanted]


def test_the_choice_depends_on_the_seed_and_not_on_the_order() -> None:
    records = [record(f"p{index:03d}", square(0, 9)) for index in range(100)]
    chosen = choose(records, 10, (1, 2))
    assert len({item.key for item in chosen}) == 10
    assert choose(records[::-1], 10, (1, 2)) == chosen
    assert choose(records, 10, (1, 3)) != chosen


def test_pictures_without_bytes_are_never_chosen() -> None:
    records = [record("a", pictured=False), record("b")]
    assert [item.key for item in choose(records, 5, (0,))] == ["b"]


def test_each_class_has_a_sheet_of_pictures_that_show_it() -> None:
    records = [record(f"p{index}", square(index % 2, 9), square(0, 5)) for index in range(40)]
    sheets = class_sheets(records, [0, 1], seed=0)
    assert [len(sheets[0]), len(sheets[1])] == [SHEET_PICTURES, SHEET_PICTURES]
    assert all(int(wanted.record.key[1:]) % 2 == 1 for wanted in sheets[1])
    assert sheets[1][0].caption.endswith(".jpg: 1 of 2 boxes")


def test_many_classes_share_the_room() -> None:
    records = [record(f"p{index}", *(square(class_id, 9) for class_id in range(300))) for index in range(3)]
    for classes in (80, 300):
        sheets = class_sheets(records, list(range(classes)), seed=0)
        assert 0 < sum(map(len, sheets.values())) <= ALL_PICTURES


def test_the_worst_pictures_come_first_and_notes_do_not_count(
    records: list[ImageRecord], findings: list[Finding]
) -> None:
    more = [Finding(Kind.BOX_OUTSIDE, "a.txt", f"box {index}", "a") for index in range(5)]
    lost = [Finding(Kind.SIZE_DISAGREEMENT, "x.txt", "", "dropped"), Finding(Kind.UNREADABLE_LABEL, "d.txt", "", "d")]
    worst = worst_sheet(records, [*findings, *more, *lost])
    assert [wanted.caption for wanted in worst] == [
        "b.jpg: box_outside (1), size_disagreement (1)", "a.jpg: box_outside (6)"
    ]  # fmt: skip


def test_progress_is_told_of_every_picture() -> None:
    told: list[tuple[str, int, int]] = []
    sheets = {"a": [Wanted(record("a"), "a")], "b": [Wanted(record("b"), "b"), Wanted(record("c"), "c")]}
    shown = draw_sheets(sheets, lambda source: jpeg(), lambda *call: told.append(call))
    assert told == [("draw", 1, 3), ("draw", 2, 3), ("draw", 3, 3)]
    assert [item.caption for item in shown["b"]] == ["b", "c"]


def test_the_path_of_a_picture_reaches_the_reader() -> None:
    seen: list[Source] = []

    def read(source: Source) -> bytes:
        seen.append(source)
        return jpeg()

    draw_sheets({"a": [Wanted(record("a"), "a")]}, read, silent)
    assert seen == [Source(Path("/raw/a.jpg"))]


def test_what_is_marked_stands_out_and_the_rest_is_thin() -> None:
    seen = record("a", square(0, 100, 50, 50), width=360, height=270)
    picture = drawn(Wanted(seen, "a", marked=(square(0, 100, 200, 50),)), jpeg(360, 270))
    row = [picture.getpixel((x, 100)) for x in range(360)]
    dark = [sum(np.min(pixel) < 170 for pixel in row[start : start + 20]) for start in (40, 190)]
    assert dark[0] <= 2 < dark[1]
    assert near(picture, (201, 120), MARK) or near(picture, (202, 120), MARK)


def test_a_view_enlarges_a_part_of_the_picture() -> None:
    seen = record("a", width=1440, height=1080)
    mark, view = Box(0, 1000, 800, 1020, 820), Box(0, 950, 760, 1070, 850)
    picture = drawn(Wanted(seen, "a", marked=(mark,), view=view), jpeg(1440, 1080))
    assert picture.size == (360, 270)  # three times as large as it is
    for at in ((151, 150), (180, 121)):  # left and upper edge
        assert near(picture, at, MARK), at
    assert near(picture, (180, 150), "#ffffff")
