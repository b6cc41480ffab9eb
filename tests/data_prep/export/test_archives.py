from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from data_prep.config import PrepareConfig
from data_prep.export import write_archives
from data_prep.prepare import prepare
from data_prep.progress import silent
from data_prep.records import ImageRecord, Source
from data_prep.split import Split
from tests.data_prep.conftest import contents

SPLIT_OF = {
    "Train_Dataset": "train", "Valid_Dataset": "valid", "Train_Dataset_mini": "mini_train",
    "Valid_Dataset_mini": "valid", "Train_Dataset_Full": "full",
}  # fmt: skip


@pytest.fixture
def packed(herd_config: PrepareConfig, tmp_path: Path) -> Path:
    prepare(herd_config.model_copy(update={"archives": True}), tmp_path / "set")
    return tmp_path / "set"


def test_archives_hold_what_their_split_holds(packed: Path) -> None:
    assert {path.stem for path in (packed / "archives").iterdir()} == set(SPLIT_OF)
    for name, split in SPLIT_OF.items():
        with tarfile.open(packed / "archives" / f"{name}.tar") as archive:
            found = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
        expected = {
            f"{kind}/{path.name}": path.read_bytes()
            for kind in ("images", "labels")
            for path in (packed / kind / split).iterdir()
        }
        assert found == expected


def test_archives_are_the_same_bytes_each_time(packed: Path, herd_config: PrepareConfig, tmp_path: Path) -> None:
    again = prepare(herd_config.model_copy(update={"archives": True}), tmp_path / "again").parent
    assert contents(packed / "archives") == contents(again / "archives")


def test_archive_that_lies_there_is_not_packed_again(packed: Path) -> None:
    before = {path: path.stat().st_ino for path in (packed / "archives").iterdir()}
    images = sorted(path.relative_to(packed / "images" / "valid") for path in (packed / "images" / "valid").iterdir())
    records = tuple(ImageRecord(name.stem, Source(name), 1, 1) for name in images)
    hashes = write_archives(packed, {Split.VALID: records}, silent)
    assert list(hashes) == ["archives/Valid_Dataset.tar", "archives/Valid_Dataset_mini.tar"]
    assert {path: path.stat().st_ino for path in (packed / "archives").iterdir()} == before


def test_archives_stand_in_the_list_of_files(packed: Path) -> None:
    lines = (packed / "files.sha256").read_text().splitlines()
    for path in (packed / "archives").iterdir():
        assert f"{hashlib.sha256(path.read_bytes()).hexdigest()}  archives/{path.name}" in lines
