from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from data_prep.errors import InputError
from data_prep.findings import Kind
from data_prep.limits import Limits
from data_prep.progress import silent
from data_prep.readers import CocoReader
from data_prep.records import UNKNOWN_CLASS_ID, Box, RawDataset
from data_prep.store import RawStore
from tests.data_prep.readers.builders import (
    PICTURES,
    Picture,
    by_key,
    coco,
    flaws,
    kinds,
    named_boxes,
    read,
    write_coco,
)

NAMES = ("pig", "cow")


def read_json(folder: Path, content: Any, **settings: Any) -> RawDataset:
    """Read a JSON beside the three pictures."""
    path, images = write_coco(folder, PICTURES, NAMES)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read(CocoReader(annotations=path, images=images, **settings))


def changed(**parts: Any) -> dict[str, Any]:
    return {**coco(PICTURES, NAMES), **parts}


def annotation(**parts: Any) -> dict[str, Any]:
    """The COCO JSON with its first annotation (pig, in picture a) changed."""
    content = coco(PICTURES, NAMES)
    content["annotations"][0].update(parts)
    return content


def test_boxes_sizes_and_names_are_read(tmp_path: Path) -> None:
    raw = read_json(tmp_path, changed())
    assert raw.names == ("pig", "cow")  # by category id, not by their order in the file
    images = by_key(raw)
    assert {key: named_boxes(raw, image) for key, image in images.items()} == {
        picture.stem: list(picture.boxes) for picture in PICTURES
    }
    assert {image.stated_size for image in raw.images} == {(64, 48)}
    assert not kinds(raw)
    assert {image.source_split for image in raw.images} == {None}


def test_every_box_is_what_pycocotools_loads(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    names = [f"class {number}" for number in range(9)]
    pictures = []
    for number in range(40):
        corners = np.sort(rng.random((int(rng.integers(0, 12)), 2, 2)) * (640, 480), axis=1)
        boxes = [(str(rng.choice(names)), *map(float, box.ravel())) for box in corners]
        pictures.append(Picture(f"{number % 5}/{number}", tuple(boxes), 640, 480))
    path, images = write_coco(tmp_path, pictures, names)
    oracle = COCO(path)
    raw = read(CocoReader(annotations=path, images=images))

    category_ids = sorted(oracle.getCatIds())
    assert raw.names == tuple(category["name"] for category in oracle.loadCats(category_ids))
    assert len(raw.images) == len(oracle.imgs)
    found = {str(image.source.path.relative_to(images)): image for image in raw.images if image.source}
    for image_id, entry in oracle.imgs.items():
        expected = []
        for one in oracle.loadAnns(oracle.getAnnIds(imgIds=[image_id])):
            x, y, w, h = one["bbox"]
            expected.append(Box(category_ids.index(one["category_id"]), x, y, x + w, y + h))
        assert found[entry["file_name"]].boxes == tuple(expected)
        assert found[entry["file_name"]].stated_size == (entry["width"], entry["height"])


def test_classes_restrict_and_order(tmp_path: Path) -> None:
    raw = read_json(tmp_path, changed(), classes=["cow"])
    picture = by_key(raw)["a"]
    assert raw.names == ("cow",)
    assert [box.class_id for box in picture.boxes] == [UNKNOWN_CLASS_ID, 0]
    flaw = picture.flaws[0]
    assert (flaw.kind, flaw.box, flaw.file) == (Kind.UNKNOWN_CLASS, 0, "instances.json")
    assert flaw.detail == "annotation 1: the class 'pig' is not listed"
    assert kinds(raw) == {Kind.UNKNOWN_CLASS: 3}


def test_a_class_that_no_category_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`classes` has 'pgi', which no category is called"):
        read_json(tmp_path, changed(), classes=["pgi", "cow"])


def test_crowds_are_marked(tmp_path: Path) -> None:
    picture = by_key(read_json(tmp_path, annotation(iscrowd=1)))["a"]
    assert picture.boxes[0] == Box(0, 4, 5, 24, 15)
    assert [(flaw.kind, flaw.box) for flaw in picture.flaws] == [(Kind.CROWD_BOX, 0)]


@pytest.mark.parametrize(
    ("part", "complaint"),
    [
        ({"bbox": [4, 5, 20]}, "`bbox` has 3 numbers"),
        ({"bbox": [4, 5, 20, True]}, "True is no finite number"),
        ({"bbox": [4, 5, 20, "10"]}, "'10' is no finite number"),
        ({"bbox": [4, 5, 20, float("nan")]}, "nan is no finite number"),
        ({"bbox": [4, 5, 20, 10**400]}, "is no finite number"),
        ({"bbox": [4, 5, 1e7, 10]}, "10000000.0 is no finite number up to 1000000"),
        ({"bbox": None}, "`bbox` has None"),
        ({"category_id": "1"}, "`category_id` is '1'"),
        ({"category_id": True}, "`category_id` is True"),
        ({"category_id": 1.0}, r"`category_id` is 1.0"),
        ({"iscrowd": 2}, "`iscrowd` is 2"),
        ({"iscrowd": None}, "`iscrowd` is None"),
    ],
)
def test_a_doubtful_annotation_is_a_flaw_and_no_box(tmp_path: Path, part: dict[str, Any], complaint: str) -> None:
    picture = by_key(read_json(tmp_path, annotation(**part)))["a"]
    assert picture.boxes == (Box(1, 1, 2, 60, 40),)
    [(kind, detail)] = flaws(picture)
    assert kind is Kind.UNREADABLE_LABEL
    assert detail.startswith("annotation 1: ")
    assert complaint in detail


def test_an_unlisted_category_is_a_flaw_of_its_box(tmp_path: Path) -> None:
    picture = by_key(read_json(tmp_path, annotation(category_id=77)))["a"]
    assert picture.boxes[0] == Box(UNKNOWN_CLASS_ID, 4, 5, 24, 15)
    assert flaws(picture) == [(Kind.UNKNOWN_CLASS, "annotation 1: the class 77 is not listed")]


@pytest.mark.parametrize("image_id", [None, True, 100.0, [100]])
def test_an_annotation_of_no_picture_is_a_finding(tmp_path: Path, image_id: object) -> None:
    raw = read_json(tmp_path, annotation(image_id=image_id))
    assert len(by_key(raw)["a"].boxes) == 1
    [finding] = raw.findings
    assert finding.kind is Kind.UNREADABLE_LABEL
    assert finding.detail.startswith("annotation 1 has the image_id ")


def test_annotations_of_an_unlisted_picture_are_one_finding(tmp_path: Path) -> None:
    content = changed()
    for one in content["annotations"][:2]:
        one["image_id"] = "100"  # the picture's id is the number
    [finding] = read_json(tmp_path, content).findings
    assert finding.kind is Kind.LABEL_WITHOUT_IMAGE
    assert finding.detail == "the image id '100' of 2 annotations is not listed under `images`"


def test_listed_pictures_that_are_absent_and_present_ones_that_are_unlisted(tmp_path: Path) -> None:
    content = changed()
    content["images"][1]["file_name"] = "lost.jpg"
    raw = read_json(tmp_path, content)
    assert [(one.kind, one.file, one.detail) for one in raw.findings] == [
        (Kind.LABEL_WITHOUT_IMAGE, "instances.json", "'lost.jpg' is listed but names no picture, or more than one")
    ]
    assert by_key(raw)["b"].boxes == ()
    assert flaws(by_key(raw)["b"]) == [(Kind.IMAGE_WITHOUT_LABEL, "no label belongs to it")]


def test_a_listed_picture_without_annotations_is_plain_background(tmp_path: Path) -> None:
    raw = read_json(tmp_path, changed(annotations=[]))
    assert [image.boxes for image in raw.images] == [(), (), ()]
    assert not kinds(raw)


def test_an_image_id_that_stands_twice_gives_no_box(tmp_path: Path) -> None:
    content = changed()
    content["images"][1]["id"] = 100
    raw = read_json(tmp_path, content)
    for stem in ("a", "b"):
        assert by_key(raw)[stem].boxes == ()
        assert "stands twice" in flaws(by_key(raw)[stem])[0][1]
    assert len(by_key(raw)["c"].boxes) == 3


def test_two_entries_for_one_picture_give_no_box(tmp_path: Path) -> None:
    content = changed()
    content["images"][1]["file_name"] = "elsewhere/a.jpg"
    raw = read_json(tmp_path, content)
    assert by_key(raw)["a"].boxes == ()
    assert flaws(by_key(raw)["a"]) == [(Kind.UNREADABLE_LABEL, "2 entries under `images` name this picture")]


def test_a_file_name_must_have_its_suffix(tmp_path: Path) -> None:
    content = changed()
    content["images"][0]["file_name"] = "a"
    raw = read_json(tmp_path, content)
    assert kinds(raw) == {Kind.LABEL_WITHOUT_IMAGE: 1, Kind.IMAGE_WITHOUT_LABEL: 1}


@pytest.mark.parametrize("entry", [{"id": 9}, {"file_name": 5, "id": 9}, "a.jpg", None])
def test_an_entry_without_file_name_is_a_finding(tmp_path: Path, entry: object) -> None:
    content = changed()
    content["images"].append(entry)
    raw = read_json(tmp_path, content)
    assert [(one.kind, one.detail) for one in raw.findings] == [
        (Kind.UNREADABLE_LABEL, "entry 4 of `images` has no file_name")
    ]


@pytest.mark.parametrize("size", [(0, 48), (None, 48), ("64", 48), (64.5, 48), (True, 48), (10**400, 48), (-64, 48)])
def test_an_odd_size_states_nothing(tmp_path: Path, size: tuple[object, object]) -> None:
    content = changed()
    content["images"][0].update(width=size[0], height=size[1])
    picture = by_key(read_json(tmp_path, content))["a"]
    assert picture.stated_size is None
    assert not picture.flaws


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is no valid JSON"),
        ("{", "is no valid JSON"),
        ("[" * 100_000, "is no valid JSON"),
        ('{"a":' * 100_000, "is no valid JSON"),
        ('{"images": [], "images": []}', "a key stands twice"),
        ("[]", "has no key `images`"),
        (changed(annotations={}), "has a dict under `annotations` instead of a list"),
        (changed(categories=[]), "has no category"),
        (changed(categories=[{"id": 1}]), "None is no class name"),
        (changed(categories=[{"id": 1, "name": "pig"}, {"id": 2, "name": "pig"}]), "the class 'pig' stands twice"),
        (changed(categories=[{"id": 1, "name": "pig"}, {"id": 1, "name": "cow"}]), "two categories with the id 1"),
        (changed(categories=[{"id": "1", "name": "pig"}]), "the id '1' instead of a whole number"),
        (changed(categories=[7]), "the id None"),
        (changed(categories=[{"id": 1, "name": "a\nb"}]), r"'a\\nb' is no class name"),
    ],
)
def test_a_file_that_is_none_as_a_whole_is_refused(tmp_path: Path, content: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        read_json(tmp_path, content)
    assert "instances.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    path, images = write_coco(tmp_path, PICTURES, NAMES)
    with RawStore(Limits(annotation_bytes=100)) as store, pytest.raises(InputError, match=r"instances.json"):
        CocoReader(annotations=path, images=images).read(store, silent)
