from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from data_prep.check import CheckResult, check
from data_prep.config import PrepareConfig
from data_prep.export import LinkMode
from data_prep.findings import Finding, Kind, Policy
from data_prep.prepare import prepare
from data_prep.readers import YoloReader
from data_prep.records import THUMBNAIL_SIDE
from tests.data_prep.conftest import jpeg, write_yolo
from tests.data_prep.herds import scene


def changes(folder: Path) -> list[tuple[str, str]]:
    return [(found.file, found.detail) for found in check(folder).findings if found.kind is Kind.CHANGED_FILE]


@pytest.fixture
def config(tmp_path: Path) -> PrepareConfig:
    data = write_yolo(tmp_path / "raw", {"train": 12, "val": 4, "test": 2})
    for number, path in enumerate(sorted((data.parent / "images").rglob("*.jpg"))):
        path.write_bytes(jpeg(shade=10 * number))
    return PrepareConfig(source=YoloReader(data=data), folds=2)


@pytest.fixture
def prepared(config: PrepareConfig, tmp_path: Path) -> Path:
    return prepare(config, tmp_path / "set").parent


def test_what_was_just_prepared_is_sound_wherever_it_lies(prepared: Path, tmp_path: Path) -> None:
    moved = prepared.rename(tmp_path / "my set")
    (moved / "labels" / "train.cache").write_bytes(b"")  # YOLOv5 was here
    found = check(moved)
    assert (found.sound, found.images, found.findings) == (True, 18, ())


@pytest.mark.parametrize(
    ("old", "new"), [("- cow\n- pig", "- pig\n- cow"), ("val: images/valid", "val: images/train"), ("nc: 2", "")]
)
def test_yaml_that_names_something_else_is_found(prepared: Path, old: str, new: str) -> None:
    data = prepared / "data.yaml"
    assert old in data.read_text()
    data.write_text(data.read_text().replace(old, new))
    assert changes(prepared) == [("data.yaml", "names other pictures or classes")]


def test_yaml_of_a_fold_is_held_against_what_was_written(prepared: Path) -> None:
    (prepared / "fold_0.yaml").write_text((prepared / "fold_1.yaml").read_text())
    (prepared / "fold_1.yaml").unlink()
    assert changes(prepared) == [
        ("fold_0.yaml", "names other pictures or classes"), ("fold_1.yaml", "cannot be read"),
    ]  # fmt: skip


def test_path_in_the_yaml_may_be_corrected(prepared: Path) -> None:
    data = prepared / "data.yaml"
    data.write_text(data.read_text().replace(f"path: {prepared}", "path: /elsewhere"))
    assert check(prepared).sound


@pytest.mark.parametrize("damage", ["gone", "other", "fifo"])
def test_without_its_list_of_hashes_nothing_can_be_told(prepared: Path, damage: str) -> None:
    listing = prepared / "files.sha256"
    if damage == "other":
        listing.write_text(listing.read_text()[1:])
    else:
        listing.unlink()
    if damage == "fifo":
        os.mkfifo(listing)
    ((name, detail),) = changes(prepared)
    assert name == "files.sha256"
    assert ("manifest names" if damage == "other" else "cannot be read") in detail


def test_what_a_hostile_set_names_cannot_reach_the_terminal(prepared: Path) -> None:
    listing, manifest = prepared / "files.sha256", prepared / "manifest.json"
    before = hashlib.sha256(listing.read_bytes()).hexdigest()
    listing.write_bytes(listing.read_bytes() + b"0  \x1b[2J\xff\n")
    (prepared / "labels" / "train" / "\x1b[2J.txt").write_text("")
    after = hashlib.sha256(listing.read_bytes()).hexdigest()
    manifest.write_text(manifest.read_text().replace(before, after))
    found = changes(prepared)
    assert ("labels/train/\\x1b[2J.txt", "was added") in found
    assert [detail for name, detail in found if not name.startswith("labels")] == ["is missing"]
    assert all(name.isprintable() for name, _ in found)


def test_links_to_raw_files_that_vanished_are_findings(config: PrepareConfig, tmp_path: Path) -> None:
    folder = prepare(config.model_copy(update={"link": LinkMode.SYMLINK}), tmp_path / "set").parent
    assert check(folder).sound
    shutil.rmtree(tmp_path / "raw")
    found = check(folder)
    assert found.images == 0
    assert {finding.kind for finding in found.findings} == {Kind.UNREADABLE_IMAGE, Kind.CHANGED_FILE}
    assert not any(str(tmp_path) in finding.detail for finding in found.findings)


def test_look_alikes_across_splits_are_found(config: PrepareConfig, tmp_path: Path) -> None:
    images = tmp_path / "raw" / "images"
    picture = Image.frombytes("L", (THUMBNAIL_SIDE, THUMBNAIL_SIDE), scene(1)).resize((64, 36))
    for name, quality in (("train/train_003", 95), ("val/val_001", 60)):
        picture.save(images / f"{name}.jpg", quality=quality)
    found = {finding.kind: finding.file for finding in check(tmp_path / "raw").findings}
    assert found == {Kind.NEAR_DUPLICATE: "train/train_003.jpg"}


@pytest.mark.parametrize(
    ("kind", "policy", "sound"),
    [
        (Kind.BOX_OUTSIDE, Policy.CLIP, True),
        (Kind.BOX_OUTSIDE, Policy.FAIL, False),
        (Kind.UNREADABLE_IMAGE, Policy.DROP, False),
        (Kind.CROWD_BOX, Policy.DROP, True),
    ],
)
def test_sound_is_what_has_no_error_and_no_failure(kind: Kind, policy: Policy, sound: bool) -> None:
    result = CheckResult(("pig",), 1, (Finding(kind, "a", "b", "c", policy),))
    assert result.sound is sound
    assert result.as_dict()["counts"] == {kind: {policy: 1}}
    assert result.as_dict()["findings"][0]["file"] == "a"
