from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.errors import InputError
from data_prep.progress import silent
from data_prep.readers import Unlabelled, YoloReader
from data_prep.records import Box, ImageRecord, RawDataset
from data_prep.store import RawStore
from tests.data_prep.conftest import write_yolo


def read(data: Path, unlabelled: Unlabelled = Unlabelled.BACKGROUND) -> RawDataset:
    with RawStore() as store:
        return YoloReader(data=data, unlabelled=unlabelled).read(store, silent)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_yolo(tmp_path / "set", {"train": 4, "val": 2, "test": 1})


def first(raw: RawDataset) -> ImageRecord:
    return raw.records[0]


def set_label(data: Path, text: str) -> None:
    (data.parent / "labels" / "train" / "train_000.txt").write_text(text)


def test_boxes_are_read_in_pixels_with_their_split(data: Path) -> None:
    set_label(data, "1 0.5 0.5 0.25 0.5\n")
    raw = read(data)
    assert raw.names == ("cow", "pig")
    assert [record.source_split for record in raw.records] == ["train"] * 4 + ["val"] * 2 + ["test"]
    assert first(raw).boxes == (Box(1, 24.0, 9.0, 40.0, 27.0),)


def test_polygon_becomes_its_box(data: Path) -> None:
    set_label(data, "0 0.25 0.5 0.5 0.25 0.75 0.5 0.5 0.75\n")
    assert first(read(data)).boxes == (Box(0, 16.0, 9.0, 48.0, 27.0),)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("pig 0.5 0.5 0.1 0.1", "is not all numbers"),
        ("2 0.5 0.5 0.1 0.1", r"class 2 is outside 0\.\.1"),
        ("0.5 0.5 0.5 0.1 0.1", r"class 0.5 is outside"),
        ("0 320 180 40 40", "is not normalised"),
        ("0 nan 0.5 0.1 0.1", "is not normalised"),
        ("0 0.5 0.5 0.1", "has 4 numbers"),
    ],
)
def test_wrong_row_is_named_with_file_and_line(data: Path, text: str, complaint: str) -> None:
    set_label(data, f"0 0.5 0.5 0.1 0.1\n\n{text}\n")
    with pytest.raises(InputError, match=rf"train_000.txt, line 3.*{complaint}"):
        read(data)


def test_picture_without_label_is_background_unless_told_otherwise(data: Path) -> None:
    label = data.parent / "labels" / "train" / "train_000.txt"
    label.unlink()
    assert first(read(data)).boxes == ()
    with pytest.raises(InputError, match=r"train_000.jpg has no label"):
        read(data, Unlabelled.FAIL)


def test_label_without_picture_is_an_error(data: Path) -> None:
    (data.parent / "labels" / "val" / "lost.txt").write_text("")
    with pytest.raises(InputError, match=r"lost.txt has no picture"):
        read(data)


def test_stem_in_train_and_val_is_told_apart(data: Path) -> None:
    images = data.parent / "images"
    (images / "val" / "train_000.jpg").write_bytes((images / "train" / "train_000.jpg").read_bytes())
    keys = [record.key for record in read(data).records]
    assert {"train_train_000", "val_train_000"} <= set(keys)
    assert len(keys) == len(set(keys))


def test_livestock_a_is_read_whole(livestock: Path) -> None:
    raw = read(livestock)
    counts = {(split, name): 0 for split in ("train", "val", "test") for name in raw.names}
    for record in raw.records:
        for box in record.boxes:
            counts[str(record.source_split), raw.names[box.class_id]] += 1
    assert list(counts.values()) == [3025, 6032, 486, 648, 68, 332]  # as its SOURCE.md says
