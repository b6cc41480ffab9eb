from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from data_prep.config import PrepareConfig
from data_prep.errors import InputError
from data_prep.gather import gather
from data_prep.prepare import prepare
from data_prep.progress import silent
from data_prep.readers import YoloReader
from data_prep.split import Split
from data_prep.store import RawStore
from data_prep.targets import Target, load_target, splits_of
from tests.data_prep.conftest import write_yolo


def sizes(target: Target) -> dict[Split, int]:
    with RawStore() as store:
        return {split: len(found) for split, found in splits_of(target, gather(target.config, store, silent)).items()}


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A prepared set in a folder with a space, with settings of its own."""
    source = YoloReader(data=write_yolo(tmp_path / "raw", {"train": 12, "val": 4, "test": 2}))
    config = PrepareConfig(source=source, near_duplicate_distance=9, ratio_threshold=0.7, folds=2, valid_fraction=0.25)
    return prepare(config, tmp_path / "my set").parent


def test_data_set_is_its_folder_or_its_yaml(prepared: Path) -> None:
    by_folder, by_yaml = load_target(prepared), load_target(prepared / "data.yaml")
    assert by_folder == by_yaml
    assert (by_folder.folder, by_folder.title) == (prepared, "my set")
    assert sizes(by_folder) == {Split.TRAIN: 12, Split.VALID: 4, Split.TEST: 2}


def test_fold_is_a_data_set_with_its_own_sides(prepared: Path) -> None:
    fold = load_target(prepared / "fold_1.yaml")
    assert fold.title == "fold_1"
    assert sizes(fold) == {Split.TRAIN: 8, Split.VALID: 8}


def test_settings_of_a_prepared_set_are_those_it_was_made_with(prepared: Path) -> None:
    config = load_target(prepared).config
    assert (config.near_duplicate_distance, config.ratio_threshold) == (9, 0.7)
    assert config.keep_splits


def test_settings_that_another_version_wrote_are_passed_over(prepared: Path) -> None:
    path = prepared / "manifest.json"
    content = json.loads(path.read_text())
    content["config"]["ratio_threshold"] = "steep"
    path.write_text(json.dumps(content))
    target = load_target(prepared)
    assert target.manifest is not None
    assert target.config.ratio_threshold == 0.6


def test_manifest_of_another_version_is_named(prepared: Path) -> None:
    path = prepared / "manifest.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(InputError, match=r"manifest\.json is no manifest of this version .*`format` \(=1\)"):
        load_target(prepared)


def test_stock_data_yaml_needs_no_manifest(tmp_path: Path) -> None:
    target = load_target(write_yolo(tmp_path / "pigs", {"train": 3, "val": 2}))
    assert (target.manifest, target.folder, target.title) == (None, tmp_path / "pigs", "pigs")
    assert sizes(target) == {Split.TRAIN: 3, Split.VALID: 2}
    os.mkfifo(tmp_path / "pigs" / "manifest.json")  # to open it would be to wait for it
    assert load_target(tmp_path / "pigs").manifest is None


def test_raw_data_is_split_as_prepare_would(tmp_path: Path) -> None:
    write_yolo(tmp_path / "raw", {"train": 12, "val": 4})
    (tmp_path / "a.yaml").write_text("source: {reader: yolo, data: raw/data.yaml}\nvalid_fraction: 0.5\n")
    target = load_target(tmp_path / "a.yaml")
    assert (target.folder, target.title) == (None, "a")
    assert sizes(target)[Split.VALID] == 8


def test_what_is_neither_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no data\.yaml; name a data set"):
        load_target(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        load_target(tmp_path / "nowhere")
