from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data_prep.errors import InputError
from data_prep.findings import Kind
from data_prep.limits import Limits
from data_prep.progress import silent
from data_prep.readers import VocReader
from data_prep.records import UNKNOWN_CLASS_ID, Box, RawDataset, RawImage
from data_prep.store import RawStore
from tests.data_prep.conftest import write_zip
from tests.data_prep.readers.builders import (
    PICTURES,
    Picture,
    by_key,
    flaws,
    kinds,
    named_boxes,
    read,
    voc,
    write_pictures,
    write_voc,
)


def read_set(folder: Path, **settings: Any) -> RawDataset:
    return read(VocReader(annotations=folder / "Annotations", images=folder / "JPEGImages", **settings))


def read_xml(folder: Path, content: str | bytes, **settings: Any) -> RawImage:
    """Read the three pictures, the XML of the first replaced; returns the first."""
    annotations, _ = write_voc(folder, PICTURES)
    (annotations / "a.xml").write_bytes(content.encode() if isinstance(content, str) else content)
    return by_key(read_set(folder, classes=["pig", "cow"], **settings))["a"]


def changed(old: str, new: str) -> str:
    """The XML of the first picture with its first match of ``old`` replaced."""
    text = voc(PICTURES[0])
    assert old in text
    return text.replace(old, new, 1)


def test_boxes_sizes_and_names_are_read(tmp_path: Path) -> None:
    write_voc(tmp_path, PICTURES)
    raw = read_set(tmp_path)
    assert raw.names == ("cow", "pig")
    assert {key: named_boxes(raw, image) for key, image in by_key(raw).items()} == {
        picture.stem: list(picture.boxes) for picture in PICTURES
    }
    assert {image.stated_size for image in raw.images} == {(64, 48)}
    assert not kinds(raw)
    assert raw.root == tmp_path


def test_classes_restrict_and_order(tmp_path: Path) -> None:
    write_voc(tmp_path, PICTURES)
    raw = read_set(tmp_path, classes=["pig"])
    picture = by_key(raw)["a"]
    assert [box.class_id for box in picture.boxes] == [0, UNKNOWN_CLASS_ID]
    flaw = picture.flaws[0]
    assert (flaw.kind, flaw.box, flaw.file) == (Kind.UNKNOWN_CLASS, 1, "Annotations/a.xml")
    assert flaw.detail == "object 2: the class 'cow' is not listed"


def test_pixels_counted_from_one(tmp_path: Path) -> None:
    assert read_xml(tmp_path, voc(PICTURES[0]), first_pixel=1).boxes[0] == Box(0, 3, 4, 24, 15)
    assert read_xml(tmp_path, voc(PICTURES[0])).boxes[0] == Box(0, 4, 5, 24, 15)


def test_difficult_objects_are_marked(tmp_path: Path) -> None:
    picture = read_xml(tmp_path, changed("<difficult>0", "<difficult>1"))
    assert len(picture.boxes) == 2
    assert [(flaw.kind, flaw.box) for flaw in picture.flaws] == [(Kind.DIFFICULT_BOX, 0)]


def test_body_parts_are_no_objects(tmp_path: Path) -> None:
    part = "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"
    nested = f"{part}{part.replace('part', 'object')}"
    picture = read_xml(tmp_path, changed("</object>", f"{nested}</object>"))
    assert picture.boxes == (Box(0, 4, 5, 24, 15), Box(1, 1, 2, 60, 40))
    assert not picture.flaws


def test_decimals_spaces_and_declared_encodings_are_read(tmp_path: Path) -> None:
    text = changed("<xmin>4</xmin>", "<xmin>\n  4.25 </xmin>").replace("<name>pig", "<name>\n pig\n")
    content = f'<?xml version="1.0" encoding="UTF-16"?>{text}'.encode("utf-16")
    assert read_xml(tmp_path, content).boxes[0] == Box(0, 4.25, 5, 24, 15)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("<xmin>4</xmin>", "", "has 0 times `xmin`"),
        ("<xmin>4</xmin>", "<xmin>4</xmin><xmin>5</xmin>", "has 2 times `xmin`"),
        ("<xmin>4", "<xmin>nan", "'nan' is no finite number"),
        ("<xmin>4", "<xmin>1e999", "'1e999' is no finite number"),
        ("<xmin>4", "<xmin>1_0", "'1_0' is no finite number"),
        ("<xmin>4", "<xmin>４", "is no finite number"),
        ("<xmin>4", "<xmin>", "'' is no finite number"),
        ("<xmin>4", "<xmin><b/>4", "`xmin` holds elements"),
        ("<name>pig", "<name>", "'' is no class name"),
        ("<name>pig</name>", "<name>pig</name><name>cow</name>", "has 2 times `name`"),
        ("</bndbox>", "</bndbox><bndbox/>", "has 2 times `bndbox`"),
        ("<difficult>0", "<difficult>maybe", "`difficult` is 'maybe'"),
    ],
)
def test_a_doubtful_object_is_a_flaw_and_no_box(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    picture = read_xml(tmp_path, changed(old, new))
    assert picture.boxes == (Box(1, 1, 2, 60, 40),)
    [(kind, detail)] = flaws(picture)
    assert kind is Kind.UNREADABLE_LABEL
    assert detail.startswith("object 1: ")
    assert complaint in detail


ENTITIES = '<!DOCTYPE a [<!ENTITY b "1"><!ENTITY c "&b;&b;&b;">]>'


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is no valid XML"),
        ("{}", "is no valid XML"),
        (b"\xff\xfe\xfa", "is no valid XML"),
        (changed("<xmin>4", "<xmin>&c;"), "is no valid XML"),
        (changed("</object>", ""), "is no valid XML"),
        (ENTITIES + changed("<xmin>4", "<xmin>&c;"), "declares a document type"),
        ('<!DOCTYPE a SYSTEM "http://localhost/a.dtd">' + voc(PICTURES[0]), "declares a document type"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>', "document type"),
        ("<a>" * 100_000, "levels or"),
        (f"<annotation>{'<a/>' * 300_000}</annotation>", "levels or"),
        ('<?xml version="1.0" encoding="hex"?><annotation/>', "is no valid XML"),
        ('<?xml version="1.0" encoding="euc-kr"?><annotation/>', "is no valid XML"),
        ("<annotations/>", "has the root 'annotations'"),
    ],
)
def test_a_label_that_is_none_is_a_flaw_of_its_picture(tmp_path: Path, content: str | bytes, complaint: str) -> None:
    picture = read_xml(tmp_path, content)
    assert picture.boxes == ()
    [flaw] = picture.flaws
    assert (flaw.kind, flaw.box, flaw.file) == (Kind.UNREADABLE_LABEL, None, "Annotations/a.xml")
    assert complaint in flaw.detail


@pytest.mark.parametrize("size", ["<width>0</width>", "<width/>", "<width>64</width><width>65</width>", ""])
def test_an_odd_size_states_nothing(tmp_path: Path, size: str) -> None:
    picture = read_xml(tmp_path, changed("<width>64</width>", size))
    assert picture.stated_size is None
    assert not picture.flaws


def test_a_label_beyond_the_limit_is_a_flaw_without_the_place(tmp_path: Path) -> None:
    annotations, images = write_voc(tmp_path, PICTURES)
    (annotations / "a.xml").write_text(voc(PICTURES[0]) + " " * 5000)
    with RawStore(Limits(label_bytes=2000)) as store:
        raw = VocReader(annotations=annotations, images=images).read(store, silent)
    [flaw] = by_key(raw)["a"].flaws
    assert flaw.kind is Kind.UNREADABLE_LABEL
    assert str(tmp_path) not in flaw.detail


def test_picture_without_xml_and_xml_without_picture(tmp_path: Path) -> None:
    annotations, _ = write_voc(tmp_path, PICTURES)
    (annotations / "a.xml").rename(annotations / "lost.xml")
    raw = read_set(tmp_path)
    assert [(one.kind, one.file) for one in raw.findings] == [(Kind.LABEL_WITHOUT_IMAGE, "Annotations/lost.xml")]
    assert flaws(by_key(raw)["a"]) == [(Kind.IMAGE_WITHOUT_LABEL, "no label belongs to it")]


def test_stems_that_repeat_in_folders_meet_by_path(tmp_path: Path) -> None:
    pictures = [Picture("x/1", PICTURES[0].boxes), Picture("y/1", PICTURES[1].boxes), Picture("2", PICTURES[2].boxes)]
    write_voc(tmp_path, pictures)
    (tmp_path / "Annotations" / "2.xml").rename(tmp_path / "Annotations" / "x" / "2.xml")
    raw = read_set(tmp_path)
    assert {key: len(image.boxes) for key, image in by_key(raw).items()} == {
        "x_1": 2,
        "y_1": 1,
        "2": 3,
    }
    assert not kinds(raw)


def test_one_label_for_two_pictures_is_given_to_neither(tmp_path: Path) -> None:
    write_voc(tmp_path, PICTURES)
    (tmp_path / "JPEGImages" / "a.png").write_bytes(b"")
    raw = read_set(tmp_path)
    both = [image for image in raw.images if image.key.endswith(("a", "a_1"))]
    assert [image.boxes for image in both] == [(), ()]
    assert {flaws(image)[0] for image in both} == {
        (Kind.UNREADABLE_LABEL, "a.jpg and a.png share this label; rename one of them and its label")
    }


def test_archives(tmp_path: Path) -> None:
    write_zip(tmp_path / "xml.zip", {f"VOC/Annotations/{one.stem}.xml": voc(one).encode() for one in PICTURES})
    write_zip(tmp_path / "jpg.zip", {f"VOC/JPEGImages/{one.file}": b"" for one in PICTURES})
    raw = read(VocReader(annotations=tmp_path / "xml.zip", images=tmp_path / "jpg.zip"))
    assert [len(image.boxes) for image in raw.images] == [2, 1, 3]
    assert not kinds(raw)


def write_lists(folder: Path, **lists: str) -> Path:
    folder.mkdir()
    for name, text in lists.items():
        (folder / f"{name}.txt").write_text(text)
    return folder


def test_image_sets_give_the_splits(tmp_path: Path) -> None:
    write_voc(tmp_path, PICTURES)
    sets = write_lists(tmp_path / "Main", train="a\n", val="b.jpg\n\n", trainval="a\nb\nnobody\n", pig_train="a  1\n")
    raw = read_set(tmp_path, image_sets=sets)
    assert {key: image.source_split for key, image in by_key(raw).items()} == {"a": "train", "b": "val", "c": None}
    assert not kinds(raw)


def test_a_list_that_names_no_picture_is_a_finding(tmp_path: Path) -> None:
    write_voc(tmp_path, PICTURES)
    sets = write_lists(tmp_path / "Main", train="a\nlost\n")
    [finding] = read_set(tmp_path, image_sets=sets).findings
    assert (finding.kind, finding.file) == (Kind.LABEL_WITHOUT_IMAGE, "Main/train.txt")
    assert finding.detail == "line 2: 'lost' names no picture, or more than one"


@pytest.mark.parametrize(
    ("lists", "complaint"),
    [
        ({"train": "a", "test": "b\na"}, r"test.txt, line 2: 'a' stands in train.txt, too"),
        ({"trainval": "a"}, r"Main has no train.txt, val.txt or test.txt"),
    ],
)
def test_lists_that_contradict_or_are_absent_are_refused(tmp_path: Path, lists: dict[str, str], complaint: str) -> None:
    write_voc(tmp_path, PICTURES)
    with pytest.raises(InputError, match=complaint):
        read_set(tmp_path, image_sets=write_lists(tmp_path / "Main", **lists))


def test_labels_that_name_no_class_need_classes(tmp_path: Path) -> None:
    write_voc(tmp_path, [Picture("a")])
    with pytest.raises(InputError, match=r"Annotations names no class.*set `classes`"):
        read_set(tmp_path)
    assert read_set(tmp_path, classes=["pig"]).images[0].boxes == ()


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    write_voc(tmp_path, PICTURES)
    write_pictures(tmp_path / "JPEGImages", [Picture("._a")])
    for name in ("Annotations/._a.xml", "Annotations/readme.md", "JPEGImages/Thumbs.db"):
        (tmp_path / name).write_bytes(b"x")
    assert not kinds(read_set(tmp_path))


def test_bccd_is_what_its_text_says(bccd: Path) -> None:
    """Counted a second time by regular expressions, without any XML parser."""
    raw = read(
        VocReader(annotations=bccd / "Annotations", images=bccd / "JPEGImages", image_sets=bccd / "ImageSets" / "Main")
    )
    counts: Counter[str] = Counter()
    corners = {}
    for path in sorted((bccd / "Annotations").iterdir()):
        objects = re.findall(r"<object>(.*?)</object>", path.read_text(), re.DOTALL)
        counts.update(re.search(r"<name>(.*?)</name>", one)[1] for one in objects)
        corners[path.stem] = [[int(value) for value in re.findall(r"<[xy]m..>(\d+)<", one)] for one in objects]

    assert raw.names == ("Platelets", "RBC", "WBC")
    found = Counter(raw.names[box.class_id] for image in raw.images for box in image.boxes)
    assert found == counts == {"RBC": 4155, "WBC": 372, "Platelets": 361}
    assert {image.key: [[box.x1, box.y1, box.x2, box.y2] for box in image.boxes] for image in raw.images} == corners
    assert not kinds(raw)  # zero areas are for the checks
    assert {image.stated_size for image in raw.images} == {(640, 480)}
    assert Counter(image.source_split for image in raw.images) == {"train": 205, "val": 87, "test": 72}
    flat = {key for key, boxes in corners.items() if any(x1 >= x2 or y1 >= y2 for x1, y1, x2, y2 in boxes)}
    assert flat == {"BloodImage_00338", "BloodImage_00343"}
    assert {image.key for image in raw.images if any(box.x1 >= box.x2 for box in image.boxes)} == flat
    assert not any(box.x2 > 640 or box.y2 > 480 for image in raw.images for box in image.boxes)
