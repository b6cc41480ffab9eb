from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from data_prep.errors import InputError
from data_prep.findings import Kind
from data_prep.readers import AihubReader
from data_prep.records import Box, RawDataset, RawImage
from tests.data_prep.conftest import (
    COW_LABELS,
    PIG_IMAGES,
    PIG_LABELS,
    jpeg,
    label,
    write_archives,
    write_zip,
)
from tests.data_prep.readers import builders
from tests.data_prep.readers.builders import by_key, flaws, kinds


def read(folder: Path, **settings: Any) -> RawDataset:
    return builders.read(AihubReader(folder=folder, **settings))


def read_label(folder: Path, content: bytes | dict[str, Any]) -> RawImage:
    """Read archives whose pigs are one picture with this label."""
    write_archives(folder)
    write_zip(folder / PIG_IMAGES, {"a.jpg": jpeg()})
    write_zip(folder / PIG_LABELS, {"a.json": content if isinstance(content, bytes) else json.dumps(content).encode()})
    return by_key(read(folder))["a"]


def info(*bboxes: object, **parts: object) -> dict[str, Any]:
    return {"label_info": {"annotations": [{"bbox": bbox} for bbox in bboxes], **parts}}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("cp949", [False, True])
def test_archive_and_entry_names_are_found_in_every_encoding(tmp_path: Path, form: str, cp949: bool) -> None:
    raw = read(write_archives(tmp_path, form=form, cp949=cp949))
    assert raw.names == ("pig", "cow")
    assert len(raw.images) == 12
    source = raw.images[0].source
    assert source is not None
    assert source.member is not None
    assert source.member.startswith("가축/")


def test_class_comes_from_the_archive_and_not_from_category_id(tmp_path: Path) -> None:
    raw = read(write_archives(tmp_path))  # every label claims category 2, "cow"
    for image in raw.images:
        assert {box.class_id for box in image.boxes} == {0 if "pig" in image.key else 1}


def test_file_names_say_the_class_where_classes_share_their_archives(tmp_path: Path) -> None:
    stems = ["livestock_pig_bbox_1", "livestock_cow_bbox_1", "livestock_bbox_2", "cow_and_pig_3"]
    write_zip(tmp_path / "i.zip", {f"{stem}.jpg": jpeg() for stem in stems})
    write_zip(tmp_path / "l.zip", {f"{stem}.json": label((1, 2, 30, 20)) for stem in stems})
    both = {"images": "i.zip", "labels": "l.zip"}
    images = by_key(read(tmp_path, classes={"pig": both, "cow": both}))
    assert set(images) == set(stems)
    assert [images[stem].boxes[0].class_id for stem in stems[:2]] == [0, 1]
    assert [flaws(images[stem]) for stem in stems[:2]] == [[], []]
    for stem in stems[2:]:
        (flaw,) = flaws(images[stem])
        assert flaw == (Kind.CLASS_CONFLICT, "its name does not say which one of pig, cow it shows")


def test_one_finding_says_that_category_ids_are_ignored(tmp_path: Path) -> None:
    raw = read(write_archives(tmp_path))
    [finding] = raw.findings
    assert finding.kind is Kind.IGNORED_FIELD
    assert finding.file == "[라벨]돼지_bbox.zip:가축/livestock_pig_bbox_000000.json"
    assert "`category_id` and `categories` are not read" in finding.detail
    assert "12 labels" in finding.detail


def test_no_finding_where_no_label_has_categories(tmp_path: Path) -> None:
    settings = builders.write_aihub(tmp_path, builders.PICTURES)
    with zipfile.ZipFile(tmp_path / "labels.zip", "w") as archive:
        for picture in builders.PICTURES:
            archive.writestr(f"{picture.stem}.json", json.dumps(info(*(box[1:] for box in picture.boxes))))
    raw = read(tmp_path, classes=settings)
    assert [len(image.boxes) for image in raw.images] == [2, 1, 3]
    assert not kinds(raw)


def test_boxes_and_the_stated_size_are_read(tmp_path: Path) -> None:
    image = read_label(tmp_path, info([4, 5, 24.5, 15], image={"width": 1920, "height": 1080}))
    assert image.boxes == (Box(0, 4.0, 5.0, 24.5, 15.0),)
    assert image.stated_size == (1920, 1080)
    assert not image.normalised
    assert not image.flaws


@pytest.mark.parametrize("image", [{}, None, [], {"width": 0, "height": 9}, {"width": "1920", "height": 9}])
def test_an_odd_size_states_nothing(tmp_path: Path, image: object) -> None:
    found = read_label(tmp_path, info([1, 2, 3, 4], image=image))
    assert found.stated_size is None
    assert not found.flaws


def test_missing_archive_is_named_with_its_key(tmp_path: Path) -> None:
    (write_archives(tmp_path) / COW_LABELS).unlink()
    with pytest.raises(InputError, match=r"has no archive .*소_bbox.zip.*`classes.cow.labels`"):
        read(tmp_path)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere cannot be read"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 cut"])
def test_damaged_archive_is_named(tmp_path: Path, content: bytes) -> None:
    (write_archives(tmp_path) / PIG_IMAGES).write_bytes(content)
    with pytest.raises(InputError, match=r"돼지_bbox.zip"):
        read(tmp_path)


def test_damaged_member_is_a_flaw_without_the_place(tmp_path: Path) -> None:
    archive = write_archives(tmp_path) / PIG_LABELS
    content = bytearray(archive.read_bytes())
    content[content.index(b"label_info")] ^= 0xFF  # the checksum no longer fits
    archive.write_bytes(bytes(content))
    [flaw] = by_key(read(tmp_path))["livestock_pig_bbox_000000"].flaws
    assert (flaw.kind, flaw.file) == (Kind.UNREADABLE_LABEL, f"{PIG_LABELS}:가축/livestock_pig_bbox_000000.json")
    assert str(tmp_path) not in flaw.detail


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{not json", "is no valid JSON"),
        (b"\xff\xfe\xfa", "is no valid JSON"),
        (b"[" * 100_000, "is no valid JSON"),
        (b'{"label_info": {}, "label_info": {}}', "a key stands twice"),
        (b"[]", "has no key `label_info`"),
        (b"{}", "has no key `label_info`"),
        (b'{"label_info": {"annotations": {}}}', "has a dict under `annotations` instead of a list"),
    ],
)
def test_a_label_that_is_none_is_a_flaw_of_its_picture(tmp_path: Path, content: bytes, complaint: str) -> None:
    image = read_label(tmp_path, content)
    assert image.boxes == ()
    [flaw] = image.flaws
    assert (flaw.kind, flaw.box, flaw.file) == (Kind.UNREADABLE_LABEL, None, f"{PIG_LABELS}:a.json")
    assert complaint in flaw.detail
    assert "\n" not in flaw.detail


@pytest.mark.parametrize("bbox", [[1, 2, 3], [1, 2, 3, float("nan")], [1, 2, 3, True], ["1", 2, 3, 4], None, "1 2 3 4"])
def test_a_doubtful_box_is_a_flaw_and_its_neighbours_stay(tmp_path: Path, bbox: object) -> None:
    image = read_label(tmp_path, info([1, 2, 3, 4], bbox, [5, 6, 7, 8]))
    assert image.boxes == (Box(0, 1, 2, 3, 4), Box(0, 5, 6, 7, 8))
    [(kind, detail)] = flaws(image)
    assert kind is Kind.UNREADABLE_LABEL
    assert detail.startswith("annotation 2: ")


def test_a_label_in_cp949_is_read(tmp_path: Path) -> None:
    text = json.dumps(info([1, 2, 3, 4], memo="돼지"), ensure_ascii=False)
    assert read_label(tmp_path, text.encode("cp949")).boxes == (Box(0, 1, 2, 3, 4),)


def test_label_without_picture_and_picture_without_label(tmp_path: Path) -> None:
    write_archives(tmp_path, count=2)
    write_zip(tmp_path / PIG_LABELS, {"lost.json": label()})
    raw = read(tmp_path)
    lost, ignored = raw.findings
    assert (lost.kind, lost.file) == (Kind.LABEL_WITHOUT_IMAGE, f"{PIG_LABELS}:lost.json")
    assert ignored.kind is Kind.IGNORED_FIELD
    for number in range(2):
        image = by_key(raw)[f"livestock_pig_bbox_{number:06d}"]
        assert flaws(image) == [(Kind.IMAGE_WITHOUT_LABEL, "no label belongs to it")]


def test_picture_named_after_the_other_class_is_a_conflict(tmp_path: Path) -> None:
    write_archives(tmp_path)
    write_zip(tmp_path / PIG_IMAGES, {"livestock_cow_bbox_000009.jpg": jpeg()})
    write_zip(tmp_path / PIG_LABELS, {"livestock_cow_bbox_000009.json": label((1, 2, 3, 4))})
    image = by_key(read(tmp_path))["livestock_cow_bbox_000009"]
    assert flaws(image) == [(Kind.CLASS_CONFLICT, "named after `cow` but lies in the archive of `pig`")]
    assert image.boxes == (Box(0, 1, 2, 3, 4),)  # the archive counts


def test_resource_forks_and_other_files_are_passed_over(tmp_path: Path) -> None:
    write_archives(tmp_path)
    with zipfile.ZipFile(tmp_path / PIG_IMAGES, "a") as archive:
        archive.writestr("__MACOSX/._livestock_pig_bbox_000000.jpg", b"fork")
        archive.writestr("Thumbs.db", b"x")
    assert len(read(tmp_path).images) == 12


def test_stems_that_repeat_meet_by_path_and_across_archives_get_the_class_in_front(tmp_path: Path) -> None:
    write_archives(tmp_path, count=1)
    write_zip(tmp_path / PIG_IMAGES, {"x/a.jpg": jpeg(), "y/a.jpg": jpeg(), "livestock_cow_bbox_000000.jpg": jpeg()})
    boxes = {"x/a.json": label((1, 2, 3, 4)), "y/a.json": label(), "livestock_cow_bbox_000000.json": label()}
    write_zip(tmp_path / PIG_LABELS, boxes)
    assert {key: len(image.boxes) for key, image in by_key(read(tmp_path)).items()} == {
        "pig_x_a": 1,
        "pig_y_a": 0,
        "pig_livestock_cow_bbox_000000": 0,
        "cow_가축_livestock_cow_bbox_000000": 1,
    }


def test_one_label_for_two_pictures_is_given_to_neither(tmp_path: Path) -> None:
    write_archives(tmp_path)
    write_zip(tmp_path / PIG_IMAGES, {"a.jpg": jpeg(), "a.png": b""})
    write_zip(tmp_path / PIG_LABELS, {"a.json": label((1, 2, 3, 4))})
    pigs = [image for image in read(tmp_path).images if "cow" not in image.key]
    assert [image.boxes for image in pigs] == [(), ()]
    assert {flaws(image)[0] for image in pigs} == {
        (Kind.UNREADABLE_LABEL, "a.jpg and a.png share this label; rename one of them and its label")
    }
