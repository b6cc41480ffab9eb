from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from data_prep.errors import InputError
from data_prep.progress import silent
from data_prep.readers import AihubReader, Unlabelled
from data_prep.records import Box, RawDataset
from data_prep.store import RawStore
from tests.data_prep.conftest import (
    COW_IMAGES,
    COW_LABELS,
    PIG_IMAGES,
    PIG_LABELS,
    jpeg,
    label,
    write_archives,
    write_zip,
)


def read(folder: Path, unlabelled: Unlabelled = Unlabelled.FAIL) -> RawDataset:
    with RawStore() as store:
        return AihubReader(folder=folder, unlabelled=unlabelled).read(store, silent)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("cp949", [False, True])
def test_archive_and_entry_names_are_found_in_every_encoding(tmp_path: Path, form: str, cp949: bool) -> None:
    raw = read(write_archives(tmp_path, form=form, cp949=cp949))
    assert raw.names == ("pig", "cow")
    assert len(raw.records) == 12
    member = raw.records[0].source.member
    assert member is not None
    assert member.startswith("가축/")


def test_class_comes_from_the_archive_and_not_from_category_id(tmp_path: Path) -> None:
    raw = read(write_archives(tmp_path))  # every label claims category 2, "cow"
    for record in raw.records:
        assert {box.class_id for box in record.boxes} == {0 if "pig" in record.key else 1}


def test_size_comes_from_the_image_header_and_not_from_the_label(tmp_path: Path) -> None:
    record = read(write_archives(tmp_path)).records[0]
    assert (record.width, record.height) == (64, 36)
    assert record.boxes == (Box(0, 4.0, 5.0, 24.0, 15.0),)


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
    with pytest.raises(InputError, match=r"돼지_bbox.zip cannot be read"):
        read(tmp_path)


def test_damaged_member_is_named(tmp_path: Path) -> None:
    archive = write_archives(tmp_path) / PIG_LABELS
    content = bytearray(archive.read_bytes())
    content[content.index(b"label_info")] ^= 0xFF  # the checksum no longer fits
    archive.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"livestock_pig_bbox_000000.json cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{not json", "is no valid JSON"),
        (b"\xff\xfe\xfa", "is no valid JSON"),
        (b"[" * 100_000, "is no valid JSON"),
        (b"[]", "the content must hold keys and values"),
        (b"{}", "key `label_info` is missing"),
        (b'{"label_info": {"annotations": [{"bbox": [1, 2, 3]}]}}', r"label_info.annotations.0.bbox"),
        (b'{"label_info": {"annotations": [{"bbox": [1, 2, 3, NaN]}]}}', r"label_info.annotations.0.bbox"),
    ],
)
def test_bad_label_is_named_with_archive_and_member(tmp_path: Path, content: bytes, complaint: str) -> None:
    write_archives(tmp_path)
    write_zip(tmp_path / PIG_IMAGES, {"a.jpg": jpeg()})
    write_zip(tmp_path / PIG_LABELS, {"a.json": content})
    with pytest.raises(InputError, match=complaint) as caught:
        read(tmp_path)
    assert "돼지_bbox.zip:a.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_picture_that_is_none_is_named(tmp_path: Path) -> None:
    write_archives(tmp_path)
    write_zip(tmp_path / PIG_IMAGES, {"a.jpg": b"text"})
    write_zip(tmp_path / PIG_LABELS, {"a.json": label()})
    with pytest.raises(InputError, match=r"a.jpg cannot be read as a picture"):
        read(tmp_path)


def test_label_without_picture_is_an_error(tmp_path: Path) -> None:
    write_archives(tmp_path)
    write_zip(tmp_path / PIG_LABELS, {"lost.json": label()})
    with pytest.raises(InputError, match=r"lost.json has no picture"):
        read(tmp_path)


def test_picture_without_label_is_an_error_unless_it_is_declared_background(tmp_path: Path) -> None:
    write_archives(tmp_path)
    write_zip(tmp_path / COW_IMAGES, {"b.jpg": jpeg()})
    write_zip(tmp_path / COW_LABELS, {})
    with pytest.raises(InputError, match=r"b.jpg has no label .*`unlabelled: background`"):
        read(tmp_path)
    assert read(tmp_path, Unlabelled.BACKGROUND).records[-1].boxes == ()


def test_picture_in_the_archive_of_the_other_class_is_an_error(tmp_path: Path) -> None:
    write_archives(tmp_path)
    write_zip(tmp_path / PIG_IMAGES, {"livestock_cow_bbox_000001.jpg": jpeg()})
    write_zip(tmp_path / PIG_LABELS, {"livestock_cow_bbox_000001.json": label()})
    with pytest.raises(InputError, match="named after `cow` but lies in the archive of `pig`"):
        read(tmp_path)


def test_resource_forks_and_other_files_are_passed_over(tmp_path: Path) -> None:
    write_archives(tmp_path)
    with zipfile.ZipFile(tmp_path / PIG_IMAGES, "a") as archive:
        archive.writestr("__MACOSX/._livestock_pig_bbox_000000.jpg", b"fork")
        archive.writestr("Thumbs.db", b"x")
    assert len(read(tmp_path).records) == 12


def test_quarter_turn_in_exif_swaps_the_sides(tmp_path: Path) -> None:
    write_archives(tmp_path)
    write_zip(tmp_path / PIG_IMAGES, {"a.jpg": jpeg(64, 36, exif_orientation=6)})
    write_zip(tmp_path / PIG_LABELS, {"a.json": label()})
    record = read(tmp_path).records[0]
    assert (record.width, record.height) == (36, 64)


def test_two_pictures_of_one_stem_are_an_error(tmp_path: Path) -> None:
    write_archives(tmp_path)
    write_zip(tmp_path / PIG_IMAGES, {"x/a.jpg": jpeg(), "y/a.jpg": jpeg()})
    with pytest.raises(InputError, match="share one label name"):
        read(tmp_path)
