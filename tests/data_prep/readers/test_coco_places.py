"""Where the COCO reader finds pictures and JSONs; what it makes of them is in ``test_coco``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data_prep.errors import InputError
from data_prep.findings import Kind
from data_prep.readers import CocoReader
from tests.data_prep.conftest import write_zip
from tests.data_prep.readers.builders import (
    PICTURES,
    Picture,
    by_key,
    coco,
    kinds,
    named_boxes,
    read,
    write_coco,
    write_pictures,
)

NAMES = ("pig", "cow")


def test_file_names_match_by_path_or_by_a_unique_bare_name(tmp_path: Path) -> None:
    content = coco(PICTURES, NAMES)
    names = ["x/same.jpg", "y\\same.jpg", "C:\\data\\only.jpg"]
    for entry, name in zip(content["images"], names, strict=True):
        entry["file_name"] = name
    (tmp_path / "set.json").write_text(json.dumps(content))
    pictures = [Picture("x/same"), Picture("y/same"), Picture("only")]
    images = write_pictures(tmp_path / "images", pictures)
    raw = read(CocoReader(annotations=tmp_path / "set.json", images=images))
    assert {image.key: len(image.boxes) for image in raw.images} == {
        "x_same": 2,
        "y_same": 1,
        "only": 3,
    }
    assert not kinds(raw)


def test_a_bare_name_that_two_pictures_have_is_not_guessed(tmp_path: Path) -> None:
    content = coco(PICTURES, NAMES)
    content["images"][0]["file_name"] = "same.jpg"
    (tmp_path / "set.json").write_text(json.dumps(content))
    images = write_pictures(tmp_path / "images", [Picture("x/same"), Picture("y/same"), Picture("b"), Picture("c")])
    raw = read(CocoReader(annotations=tmp_path / "set.json", images=images))
    assert kinds(raw) == {Kind.LABEL_WITHOUT_IMAGE: 1, Kind.IMAGE_WITHOUT_LABEL: 2}
    assert by_key(raw)["x_same"].boxes == by_key(raw)["y_same"].boxes == ()


def test_pictures_in_a_zip(tmp_path: Path) -> None:
    path, _ = write_coco(tmp_path, PICTURES, NAMES)
    write_zip(tmp_path / "images.zip", {f"deep/{picture.file}": b"" for picture in PICTURES})
    raw = read(CocoReader(annotations=path, images=tmp_path / "images.zip"))
    assert [len(image.boxes) for image in raw.images] == [2, 1, 3]
    assert raw.images[0].source is not None
    assert raw.images[0].source.member == "deep/a.jpg"


def test_a_file_per_split(tmp_path: Path) -> None:
    for split, pictures in (("train", PICTURES[:2]), ("val", PICTURES[2:])):
        write_pictures(tmp_path / split, pictures)
        (tmp_path / f"{split}.json").write_text(json.dumps(coco(pictures, NAMES)))
    write_pictures(tmp_path / "val", [Picture("unlisted")])
    splits = ("train", "val")
    annotations = {split: tmp_path / f"{split}.json" for split in splits}
    raw = read(CocoReader(annotations=annotations, images={split: tmp_path / split for split in splits}))
    assert {image.key: (image.source_split, len(image.boxes)) for image in raw.images} == {
        "a": ("train", 2),
        "b": ("train", 1),
        "c": ("val", 3),
        "unlisted": ("val", 0),
    }


def test_a_file_per_split_and_one_folder(tmp_path: Path) -> None:
    write_pictures(tmp_path / "all", [*PICTURES, Picture("unlisted")])
    for split, pictures in (("train", PICTURES[:2]), ("test", PICTURES[2:])):
        (tmp_path / f"{split}.json").write_text(json.dumps(coco(pictures, NAMES)))
    annotations = {split: tmp_path / f"{split}.json" for split in ("train", "test")}
    raw = read(CocoReader(annotations=annotations, images=tmp_path / "all"))
    assert {image.key: image.source_split for image in raw.images} == {
        "a": "train",
        "b": "train",
        "c": "test",
        "unlisted": None,
    }
    assert kinds(raw) == {Kind.IMAGE_WITHOUT_LABEL: 1}


def test_files_with_different_categories_need_classes(tmp_path: Path) -> None:
    write_pictures(tmp_path / "all", PICTURES)
    (tmp_path / "train.json").write_text(json.dumps(coco(PICTURES[:2], ("pig", "cow"))))
    (tmp_path / "val.json").write_text(json.dumps(coco(PICTURES[2:], ("cow", "pig"))))
    files = {split: tmp_path / f"{split}.json" for split in ("train", "val")}
    with pytest.raises(InputError, match=r"val.json and .*train.json have different categories; .* `classes`"):
        read(CocoReader(annotations=files, images=tmp_path / "all"))
    raw = read(CocoReader(annotations=files, images=tmp_path / "all", classes=("pig", "cow")))
    assert {key: named_boxes(raw, image) for key, image in by_key(raw).items()} == {
        picture.stem: list(picture.boxes) for picture in PICTURES
    }


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    path, _ = write_coco(tmp_path, PICTURES, NAMES)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no picture; correct `images`"):
        read(CocoReader(annotations=path, images=tmp_path / "empty"))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"annotations": {}, "images": "x"}, "give one path, or one under each of"),
        ({"annotations": 5, "images": "x"}, "give one path"),
        ({"annotations": "a", "images": {"train": None}}, "give one path"),
        ({"annotations": {"train": "a"}, "images": {"val": "x"}}, "must name the same splits"),
        ({"annotations": "a", "images": {"val": "x"}}, "must name the same splits"),
        ({"annotations": {"dev": "a"}, "images": "x"}, "give one path, or one under each of `train`, `val` and `test`"),
        ({"annotations": "a", "images": "x", "classes": []}, "at least 1 item"),
        ({"annotations": "a", "images": "x", "classes": ["pig", "pig"]}, "stands twice"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        CocoReader.model_validate(settings)
