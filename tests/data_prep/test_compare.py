from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.compare import compare_splits
from data_prep.config import PrepareConfig
from data_prep.errors import InputError
from data_prep.findings import Kind
from data_prep.groups import ByName
from data_prep.prepare import prepare
from data_prep.readers import YoloReader
from data_prep.split import Split
from tests.data_prep.conftest import jpeg, write_yolo


@pytest.fixture
def source(tmp_path: Path) -> YoloReader:
    """Two dozen pictures without any look-alike."""
    data = write_yolo(tmp_path / "raw", {"train": 20, "val": 4})
    for number, path in enumerate(sorted((data.parent / "images").rglob("*.jpg"))):
        path.write_bytes(jpeg(shade=10 * number))
    return YoloReader(data=data)


def write_groups(folder: Path, *splits: str) -> None:
    """Say that a picture of each split belong together."""
    keys = [min(path.stem for path in (folder / "images" / split).iterdir()) for split in splits]
    (folder / "groups.csv").write_text("".join(["image,group\n", *(f"{key},0\n" for key in keys)]))


PAIR = (ByName(by="name", pattern=r"^(train_00)[01]$"),)


def test_groups_that_stand_on_both_sides_are_counted(source: YoloReader, tmp_path: Path) -> None:
    folder = prepare(PrepareConfig(source=source, groups=PAIR), tmp_path / "set").parent
    assert compare_splits(folder).split_groups == 0
    write_groups(folder, "train", "valid")
    assert compare_splits(folder).split_groups == 1


def test_given_test_pictures_are_in_no_group_even_under_the_same_name(source: YoloReader, tmp_path: Path) -> None:
    tests = YoloReader(data=write_yolo(tmp_path / "other", {"train": 6, "val": 1}))
    config = PrepareConfig(source=source, test_source=tests, groups=PAIR, valid_fraction=0.4)
    folder = prepare(config, tmp_path / "set").parent
    assert compare_splits(folder).split_groups == 0
    same = min(
        {path.stem for path in (folder / "images" / "test").iterdir()}
        & {path.stem for path in (folder / "images" / "train").iterdir()}
    )
    (folder / "groups.csv").write_text(f"image,group\n{same},0\n")
    assert compare_splits(folder).split_groups == 0


def test_test_pictures_that_were_cut_off_count(source: YoloReader, tmp_path: Path) -> None:
    config = PrepareConfig(source=source, groups=PAIR, test_fraction=0.3)
    folder = prepare(config, tmp_path / "set").parent
    assert compare_splits(folder).split_groups == 0
    write_groups(folder, "train", "test")
    assert compare_splits(folder).split_groups == 1


@pytest.mark.parametrize(
    "content", [b"", b"image;group\n", b"image,group\na,b\n", b"image,group\na\n", b"image,group\n\xff,1\n"]
)
def test_a_table_of_groups_that_is_none_is_named(source: YoloReader, tmp_path: Path, content: bytes) -> None:
    folder = prepare(PrepareConfig(source=source, groups=PAIR), tmp_path / "set").parent
    (folder / "groups.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"groups\.csv is not as `prepare` wrote it"):
        compare_splits(folder)


def test_without_groups_there_is_nothing_to_count(source: YoloReader, tmp_path: Path) -> None:
    folder = prepare(PrepareConfig(source=source), tmp_path / "set").parent
    assert compare_splits(folder).split_groups is None


def test_distance_comes_from_the_caller_then_from_the_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("data_prep.compare.find_leaks", lambda splits, distance, policy: asked.append(distance) or [])
    write_yolo(tmp_path / "raw", {"train": 8, "val": 4})
    (tmp_path / "a.yaml").write_text(
        "source: {reader: yolo, data: raw/data.yaml}\nnear_duplicate_distance: 9\nvalid_fraction: 0.5\n"
    )
    compare_splits(tmp_path / "a.yaml")
    compare_splits(tmp_path / "a.yaml", distance=0)
    assert asked == [9, 0]


def test_what_is_not_counted_is_said(source: YoloReader) -> None:
    images = source.data.parent / "images"
    for number in (4, 5):
        (images / "train" / f"train_00{number}.jpg").write_bytes(b"")
    (source.data.parent / "labels" / "train" / "train_006.txt").write_text("0 0.5 0.5 0 0.5\n1 0.5 0.5 0.9 1.004\n")
    found = compare_splits(source.data)
    assert found.left_out == 3  # two pictures, and the box without area; the clipped one stays
    assert {row.split: row.images for row in found.balance.sizes} == {Split.TRAIN: 18, Split.VALID: 4}
    assert found.as_dict()["left_out"] == 3


def test_leaks_bear_the_names_that_lie_on_disk(source: YoloReader, tmp_path: Path) -> None:
    tests = write_yolo(tmp_path / "other", {"train": 1, "val": 1})
    picture = source.data.parent / "images" / "train" / "train_001.jpg"
    shown = np.kron(np.arange(16).reshape(4, 4) * 13 % 7 * 36, np.ones((16, 16))).astype(np.uint8)
    Image.fromarray(shown).save(picture)
    for kind, name in (("images", "jpg"), ("labels", "txt")):
        folder = tests.parent / kind / "val"
        (folder / f"val_000.{name}").rename(folder / f"train_001.{name}")
    (tests.parent / "images" / "val" / "train_001.jpg").write_bytes(picture.read_bytes())
    config = PrepareConfig(source=source, test_source=YoloReader(data=tests))
    folder = prepare(config, tmp_path / "set").parent
    (leak,) = compare_splits(folder).leaks
    assert leak.kind is Kind.NEAR_DUPLICATE
    assert (folder / "images" / leak.file).is_file()
    assert "test/train_001.jpg" in leak.detail
