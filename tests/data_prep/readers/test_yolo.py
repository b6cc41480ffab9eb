from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.findings import Kind
from data_prep.readers import YoloReader
from data_prep.records import UNKNOWN_CLASS_ID, Box, RawDataset, RawImage
from tests.data_prep.conftest import write_yolo
from tests.data_prep.readers import builders
from tests.data_prep.readers.builders import by_key, flaws, kinds


def read(data: Path) -> RawDataset:
    return builders.read(YoloReader(data=data))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_yolo(tmp_path / "set", {"train": 4, "val": 2, "test": 1})


def read_label(data: Path, text: str | bytes) -> RawImage:
    """Read the set with the label of its first picture replaced; returns that picture."""
    label = data.parent / "labels" / "train" / "train_000.txt"
    label.write_bytes(text.encode() if isinstance(text, str) else text)
    return by_key(read(data))["train_000"]


def test_boxes_are_read_as_fractions_with_their_split(data: Path) -> None:
    assert read_label(data, "1 0.5 0.5 0.25 0.5\n").boxes == (Box(1, 0.375, 0.25, 0.625, 0.75),)
    raw = read(data)
    assert raw.names == ("cow", "pig")
    assert raw.root == data.parent
    assert [image.source_split for image in raw.images] == ["train"] * 4 + ["val"] * 2 + ["test"]
    assert all(image.normalised for image in raw.images)
    assert not kinds(raw)


def test_polygons_become_their_box_and_boxes_beside_them_stay(data: Path) -> None:
    image = read_label(data, "0 0.25 0.5 0.5 0.25 0.75 0.5 0.5 0.75\n1.0 0.5 0.5 0.25 5e-1")
    assert image.boxes == (Box(0, 0.25, 0.25, 0.75, 0.75), Box(1, 0.375, 0.25, 0.625, 0.75))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("pig 0.5 0.5 0.1 0.1", "'pig' is no finite number"),
        ("0.5 0.5 0.5 0.1 0.1", "'0.5' is no class id"),
        ("99999999999999999999 0.5 0.5 0.1 0.1", "is no finite number up to"),
        ("0 320 180 40 40", "320 is not normalised"),
        ("0 0.5 0.5 -0.1 0.1", "-0.1 is not normalised"),
        ("0 nan 0.5 0.1 0.1", "'nan' is no finite number"),
        ("0 0_5 0.5 0.1 0.1", "'0_5' is no finite number"),
        ("0 0.5 0.5 0.1", "the row has 4 numbers"),
        ("0 0.5 0.5 0.1 0.1 0.9", "the row has 6 numbers"),
        ("0", "the row has 1 numbers"),
    ],
)
def test_a_doubtful_row_is_a_flaw_and_no_box(data: Path, text: str, complaint: str) -> None:
    image = read_label(data, f"0 0.5 0.5 0.1 0.1\n\n{text}\n1 0.5 0.5 0.1 0.1")
    assert [box.class_id for box in image.boxes] == [0, 1]
    [flaw] = image.flaws
    assert (flaw.kind, flaw.box, flaw.file) == (Kind.UNREADABLE_LABEL, None, "labels/train/train_000.txt")
    assert flaw.detail.startswith("line 3: ")
    assert complaint in flaw.detail


@pytest.mark.parametrize("class_id", ["2", "-1", "1.0e3"])
def test_an_unknown_class_is_a_flaw_of_its_box(data: Path, class_id: str) -> None:
    image = read_label(data, f"0 0.5 0.5 0.5 0.5\n{class_id} 0.5 0.5 0.5 0.5")
    assert [box.class_id for box in image.boxes] == [0, UNKNOWN_CLASS_ID]
    [flaw] = image.flaws
    assert (flaw.kind, flaw.box) == (Kind.UNKNOWN_CLASS, 1)
    assert flaw.detail.startswith("line 2: the class ")


def test_a_label_that_is_no_text_is_a_flaw(data: Path) -> None:
    image = read_label(data, b"\xff\xfe0 0.5")
    assert image.boxes == ()
    assert flaws(image) == [(Kind.UNREADABLE_LABEL, "is no UTF-8 text")]


def test_no_label_is_background_with_a_flaw_and_an_empty_label_is_background_without(data: Path) -> None:
    assert (read_label(data, "").boxes, read_label(data, "").flaws) == ((), ())
    (data.parent / "labels" / "train" / "train_000.txt").unlink()
    image = by_key(read(data))["train_000"]
    assert image.boxes == ()
    assert flaws(image) == [(Kind.IMAGE_WITHOUT_LABEL, "no label belongs to it")]


def test_a_label_that_cannot_be_opened_is_a_flaw_and_no_background(data: Path) -> None:
    label = data.parent / "labels" / "train" / "train_000.txt"
    label.unlink()
    label.symlink_to("nowhere.txt")
    [flaw] = by_key(read(data))["train_000"].flaws
    assert flaw.kind is Kind.UNREADABLE_LABEL
    label.unlink()
    label.mkdir()
    [flaw] = by_key(read(data))["train_000"].flaws
    assert flaw.kind is Kind.UNREADABLE_LABEL


def test_labels_without_picture_are_findings(data: Path) -> None:
    for name in ("val/lost.txt", "val/deep/lost.txt", "val/classes.txt", "val/._lost.txt", "val.cache"):
        path = data.parent / "labels" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert [(one.kind, one.file) for one in read(data).findings] == [
        (Kind.LABEL_WITHOUT_IMAGE, "labels/val/deep/lost.txt"),
        (Kind.LABEL_WITHOUT_IMAGE, "labels/val/lost.txt"),
    ]


def test_labels_of_pictures_that_a_list_leaves_out_are_no_findings(data: Path) -> None:
    (data.parent / "few.txt").write_text("./images/train/train_001.jpg\n")
    data.write_text("train: few.txt\nval: images/val\nnames: [cow, pig]\n")
    raw = read(data)
    assert [image.key for image in raw.images] == ["train_001", "val_000", "val_001"]
    assert not kinds(raw)


def test_a_picture_in_a_list_and_a_folder_is_there_once_behind_a_link_too(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(data.parent)
    (data.parent / "few.txt").write_text("images/train/train_001.jpg\n")
    data.write_text("train: [few.txt, images/train]\nval: images/val\nnames: [cow, pig]\n")
    raw = read(tmp_path / "link" / "data.yaml")
    assert len(raw.images) == 6
    assert not kinds(raw)


def test_pictures_that_share_a_label_get_none(data: Path) -> None:
    (data.parent / "images" / "train" / "train_000.png").write_bytes(b"")
    raw = read(data)
    both = [image for image in raw.images if "train_000" in image.key]
    assert [image.boxes for image in both] == [(), ()]
    assert {flaws(image)[0] for image in both} == {
        (Kind.UNREADABLE_LABEL, "2 pictures share this label; rename all but one of them")
    }


def test_a_stem_in_train_and_val_is_told_apart(data: Path) -> None:
    images = data.parent / "images"
    (images / "val" / "train_000.jpg").write_bytes((images / "train" / "train_000.jpg").read_bytes())
    assert {"images_train_train_000", "images_val_train_000"} <= by_key(read(data)).keys()


def test_a_test_picture_may_bear_the_name_of_one_in_train(data: Path) -> None:
    images = data.parent / "images"
    (images / "test" / "train_000.jpg").write_bytes((images / "train" / "train_000.jpg").read_bytes())
    keys = [(image.key, image.source_split) for image in read(data).images]
    assert {("train_000", "train"), ("train_000", "test")} <= set(keys)


def test_livestock_a_is_read_whole(livestock: Path) -> None:
    raw = read(livestock)
    counts = {(split, name): 0 for split in ("train", "val", "test") for name in raw.names}
    for image in raw.images:
        for box in image.boxes:
            counts[str(image.source_split), raw.names[box.class_id]] += 1
    assert list(counts.values()) == [3025, 6032, 486, 648, 68, 332]  # as its SOURCE.md says
    assert not kinds(raw)
