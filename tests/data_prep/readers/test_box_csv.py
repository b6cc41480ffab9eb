from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data_prep.errors import InputError
from data_prep.findings import Kind
from data_prep.limits import Limits
from data_prep.progress import silent
from data_prep.readers import CsvReader
from data_prep.records import UNKNOWN_CLASS_ID, Box, RawDataset
from data_prep.store import RawStore
from tests.data_prep.readers.builders import (
    PICTURES,
    Picture,
    by_key,
    flaws,
    kinds,
    named_boxes,
    read,
    table,
    write_pictures,
    write_table,
)

HEADER = "ImageID,LabelName,XMin,XMax,YMin,YMax\n"


def read_text(folder: Path, text: str | bytes, **settings: Any) -> RawDataset:
    """Read a table without pictures."""
    (folder / "boxes.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return read(CsvReader(annotations=folder / "boxes.csv", image_size=(64, 48), **settings))


def test_fractions_with_pictures(tmp_path: Path) -> None:
    path, images = write_table(tmp_path, PICTURES)
    raw = read(CsvReader(annotations=path, images=images))
    assert raw.names == ("cow", "pig")
    for picture in PICTURES:
        image = by_key(raw)[picture.stem]
        assert image.normalised
        assert image.stated_size is None
        assert named_boxes(raw, image) == [
            (name, x1 / 64, y1 / 48, x2 / 64, y2 / 48) for name, x1, y1, x2, y2 in picture.boxes
        ]
    assert not kinds(raw)


@pytest.mark.parametrize("suffix", [True, False])
def test_pixels_and_image_ids_with_or_without_suffix(tmp_path: Path, suffix: bool) -> None:
    path, images = write_table(tmp_path, PICTURES)
    path.write_text(table(PICTURES, normalised=False, suffix=suffix))
    raw = read(CsvReader(annotations=path, images=images, normalised=False, classes=("pig", "cow")))
    assert raw.names == ("pig", "cow")
    assert {key: named_boxes(raw, image) for key, image in by_key(raw).items()} == {
        picture.stem: list(picture.boxes) for picture in PICTURES
    }
    assert not any(image.normalised for image in raw.images)


def test_without_pictures_every_image_id_is_one(tmp_path: Path) -> None:
    raw = read_text(tmp_path, f"{HEADER}v1.2,pig,0.1,0.2,0.3,0.4\nv1.3,pig,0,1,0,1\nv1.2,pig,0,0.5,0,0.5\n")
    assert [(image.key, image.source, image.stated_size) for image in raw.images] == [
        ("v1.2", None, (64, 48)),
        ("v1.3", None, (64, 48)),
    ]
    assert raw.images[0].boxes == (Box(0, 0.1, 0.3, 0.2, 0.4), Box(0, 0, 0, 0.5, 0.5))


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    text = "YMax,Source, XMin ,YMin,LabelName,XMax,ImageID\r\n0.4,x,0.1,0.3,pig,0.2,a.jpg\r\n"
    assert read_text(tmp_path, "\ufeff" + text).images[0].boxes == (Box(0, 0.1, 0.3, 0.2, 0.4),)


def test_groups_are_crowds(tmp_path: Path) -> None:
    rows = [f"a.jpg,pig,0.1,0.2,0.3,0.4,{value}" for value in ("0", "1", "-1", "", "2")]
    picture = read_text(tmp_path, "\n".join([f"{HEADER.strip()},IsGroupOf", *rows])).images[0]
    assert len(picture.boxes) == 4
    assert [(flaw.kind, flaw.box) for flaw in picture.flaws] == [
        (Kind.CROWD_BOX, 1),
        (Kind.UNREADABLE_LABEL, None),
    ]
    assert picture.flaws[1].detail == "line 6: `IsGroupOf` is '2' instead of 0 or 1"


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("a.jpg,pig,0.1,0.2,0.3", "has 5 cells, the first line has 6"),
        ("a.jpg,pig,0.1,0.2,0.3,0.4,0.5", "has 7 cells"),
        ("a.jpg,pig,nan,0.2,0.3,0.4", "'nan' is no finite number"),
        ("a.jpg,pig,inf,0.2,0.3,0.4", "'inf' is no finite number"),
        ("a.jpg,pig,,0.2,0.3,0.4", "'' is no finite number"),
        ("a.jpg,pig,True,0.2,0.3,0.4", "'True' is no finite number"),
        ("a.jpg,pig,192,384,108,216", "192 is not normalised"),
        ("a.jpg,,0.1,0.2,0.3,0.4", "'' is no class name"),
        ("a.jpg,,,,,", "'' is no class name"),
    ],
)
def test_a_doubtful_row_is_a_flaw_and_no_box(tmp_path: Path, row: str, complaint: str) -> None:
    raw = read_text(tmp_path, f"{HEADER}a.jpg,pig,0,1,0,1\n{row}\na.jpg,pig,0,0.5,0,0.5\n")
    [image] = raw.images
    assert image.boxes == (Box(0, 0, 0, 1, 1), Box(0, 0, 0, 0.5, 0.5))
    [flaw] = image.flaws
    assert (flaw.kind, flaw.file) == (Kind.UNREADABLE_LABEL, "boxes.csv")
    assert flaw.detail.startswith("line 3: ")
    assert complaint in flaw.detail


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (",pig,0.1,0.2,0.3,0.4", "line 3: names no picture"),
        ('"a.jpg,pig,0.1,0.2,0.3,0.4', "line 3: is no row of a table"),
        (f'"{"a" * 200_000}",pig,0.1,0.2,0.3,0.4', "line 3: is no row of a table"),
    ],
)
def test_a_row_of_no_picture_is_a_finding_and_spoils_no_other(tmp_path: Path, row: str, complaint: str) -> None:
    raw = read_text(tmp_path, f'{HEADER}a.jpg,pig,0,1,0,1\n{row}\n"a.jpg",pig,0,0.5,0,0.5\n')
    assert [len(image.boxes) for image in raw.images] == [2]
    [finding] = raw.findings
    assert finding.kind is Kind.UNREADABLE_LABEL
    assert finding.detail.startswith(complaint)


def test_classes_restrict_and_order(tmp_path: Path) -> None:
    raw = read_text(tmp_path, table(PICTURES), classes=["cow"])
    assert raw.names == ("cow",)
    assert [box.class_id for box in by_key(raw)["a"].boxes] == [UNKNOWN_CLASS_ID, 0]
    assert flaws(by_key(raw)["a"]) == [(Kind.UNKNOWN_CLASS, "line 2: the class 'pig' is not listed")]


def test_pictures_without_rows_and_rows_without_pictures(tmp_path: Path) -> None:
    path, images = write_table(tmp_path, PICTURES)
    (images / "b.jpg").rename(images / "d.jpg")
    raw = read(CsvReader(annotations=path, images=images))
    assert [(one.kind, one.file, one.detail) for one in raw.findings] == [
        (Kind.LABEL_WITHOUT_IMAGE, "boxes.csv", "the ImageID 'b.jpg' names no picture, or more than one")
    ]
    assert flaws(by_key(raw)["d"]) == [(Kind.IMAGE_WITHOUT_LABEL, "no label belongs to it")]


def test_two_names_of_one_picture_give_no_box(tmp_path: Path) -> None:
    images = write_pictures(tmp_path / "images", [Picture("a")])
    (tmp_path / "boxes.csv").write_text(f"{HEADER}a.jpg,pig,0,1,0,1\na,pig,0,0.5,0,0.5\n")
    [image] = read(CsvReader(annotations=tmp_path / "boxes.csv", images=images)).images
    assert image.boxes == ()
    assert flaws(image)[0][1].startswith("the ImageIDs 'a.jpg' and 'a' both name it")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "has 0 columns `ImageID`"),
        ("ImageID,LabelName,XMin,XMax,YMin\n", "has 0 columns `YMax`"),
        ("ImageID,LabelName,XMin,XMax,YMin,YMax,XMin\n", "has 2 columns `XMin`"),
        ("ImageID;LabelName;XMin;XMax;YMin;YMax\n", "has 0 columns `ImageID`"),
        (HEADER, "names no class"),
        ('"ImageID\n', "line 1: is no row"),
        (b"\xff\xfe\x00", "is no UTF-8 text"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        read_text(tmp_path, text)
    assert "boxes.csv" in str(caught.value)


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    path, images = write_table(tmp_path, PICTURES)
    with RawStore(Limits(annotation_bytes=50)) as store, pytest.raises(InputError, match=r"boxes.csv"):
        CsvReader(annotations=path, images=images).read(store, silent)


@pytest.mark.parametrize("settings", [{}, {"images": "x", "image_size": [1, 1]}])
def test_either_pictures_or_their_size_must_be_given(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give `images`, or `image_size`"):
        CsvReader.model_validate({"annotations": "a.csv", **settings})


def test_the_competitions_answers_are_read_whole(answer_csv: Path) -> None:
    raw = read(CsvReader(annotations=answer_csv, image_size=(1920, 1080), classes=("pig", "cow")))
    assert len(raw.images) == 2057
    counts = Counter(raw.names[box.class_id] for image in raw.images for box in image.boxes)
    assert counts == {"pig": 5716, "cow": 4931}
    assert not kinds(raw)
    found = sorted(
        (image.key, raw.names[box.class_id], box.x1, box.x2, box.y1, box.y2)
        for image in raw.images
        for box in image.boxes
    )
    with answer_csv.open(newline="") as file:
        rows = [(row[0].removesuffix(".jpg"), row[1], *map(float, row[2:])) for row in list(csv.reader(file))[1:]]
    assert found == sorted(rows)
