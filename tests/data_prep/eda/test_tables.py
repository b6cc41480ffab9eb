from __future__ import annotations

import pytest

from data_prep.eda.tables import Tables, build_tables
from data_prep.findings import Finding, Kind
from data_prep.records import Box, ImageRecord
from tests.data_prep.eda.conftest import NAMES, STRATIFICATION, record


@pytest.fixture
def tables(records: list[ImageRecord], findings: list[Finding]) -> Tables:
    splits = {"train": records[:3], "valid": records[3:], "full": records}
    return build_tables(records, NAMES, findings, splits, STRATIFICATION)


def test_every_picture_is_a_row_with_its_counts_and_splits(tables: Tables) -> None:
    images = tables.images.set_index("key")
    assert images["boxes"].to_dict() == {"e": 0, "a": 2, "b": 2, "c": 3, "d": 0}
    assert images["boxes of pig"].to_dict() == {"e": 0, "a": 2, "b": 1, "c": 0, "d": 0}
    assert images["boxes of cow"].to_dict() == {"e": 0, "a": 0, "b": 1, "c": 3, "d": 0}
    assert images["background"].to_dict() == {"e": True, "a": False, "b": False, "c": False, "d": True}
    assert images["splits"].to_dict() == {
        "e": "train,full", "a": "train,full", "b": "train,full", "c": "valid,full", "d": "valid,full"
    }  # fmt: skip
    assert images.loc["a", "file_name"] == "a.jpg"
    assert images.loc["d", "file_name"] == "d"
    assert tuple(images.loc["e", ["width", "height"]]) == (200, 200)


def test_every_box_is_a_row_with_its_measures(tables: Tables) -> None:
    assert len(tables.boxes) == 7
    horizontal = tables.boxes[tables.boxes["key"] == "b"].iloc[1]
    assert horizontal["class"] == "cow"
    assert (horizontal["width"], horizontal["height"], horizontal["area"]) == (300, 100, 30_000)
    assert (horizontal["ratio"], horizontal["ratio_class"], horizontal["size_class"]) == (0.75, "horizontal", "medium")
    assert (horizontal["centre_x"], horizontal["centre_y"]) == (150 / 400, 50 / 300)
    assert tables.images["key"][horizontal["image"]] == "b"


def test_pictures_of_one_key_are_told_apart() -> None:
    """A test picture may bear the key of a training picture."""
    ours, theirs = record("a", Box(0, 0, 0, 10, 10)), record("a", Box(1, 0, 0, 20, 20))
    tables = build_tables([ours, theirs], NAMES, (), {"train": [ours], "test": [theirs]}, STRATIFICATION)
    assert tables.images["splits"].tolist() == ["train", "test"]
    assert tables.boxes["image"].tolist() == [0, 1]


def test_boxes_without_extent_and_pictures_without_size_have_finite_measures() -> None:
    tables = build_tables([record("a", Box(0, 5, 5, 5, 5), width=0, height=0)], NAMES, (), {}, STRATIFICATION)
    row = tables.boxes.iloc[0]
    assert (row["ratio"], row["ratio_class"], row["area"], row["centre_x"]) == (0.5, "square", 0, 5)


def test_findings_are_rows_that_show_control_characters_as_escapes() -> None:
    tables = build_tables([], NAMES, [Finding(Kind.BOX_OUTSIDE, "a\nb", "\x1b[31m")], {}, STRATIFICATION)
    row = tables.findings.iloc[0]
    assert (row["kind"], row["severity"], row["file"], row["detail"]) == (
        "box_outside", "warning", "a\\nb", "\\x1b[31m"
    )  # fmt: skip


def test_nothing_makes_empty_tables_with_the_same_columns(tables: Tables) -> None:
    empty = build_tables([], NAMES, [], {}, STRATIFICATION)
    for mine, theirs in ((empty.images, tables.images), (empty.boxes, tables.boxes), (empty.findings, tables.findings)):
        assert len(mine) == 0
        assert list(mine.columns) == list(theirs.columns)
