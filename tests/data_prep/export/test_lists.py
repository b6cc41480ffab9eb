from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.config import PrepareConfig
from data_prep.dataset import label_path, read_data_yaml
from data_prep.prepare import prepare


@pytest.fixture
def folded(herd_config: PrepareConfig, tmp_path: Path) -> Path:
    prepare(herd_config.model_copy(update={"folds": 4}), tmp_path / "set")
    return tmp_path / "set"


def test_folds_are_data_sets_that_cover_full_once(folded: Path) -> None:
    full = {path.name for path in read_data_yaml(folded / "data.yaml").images("full")}
    held_out: list[str] = []
    for number in range(4):
        data = read_data_yaml(folded / f"fold_{number}.yaml")
        train, valid = ({path.name for path in data.images(key)} for key in ("train", "val"))
        assert train | valid == full
        assert not train & valid
        assert all(label_path(path).is_file() for path in data.images("val"))
        held_out += valid
    assert sorted(held_out) == sorted(full)


def test_fold_survives_a_move(folded: Path) -> None:
    moved = folded.rename(folded.with_name("moved"))
    assert {path.is_relative_to(moved) for path in read_data_yaml(moved / "fold_0.yaml").images("val")} == {True}


def test_lists_are_read_as_yolov5_reads_them(folded: Path) -> None:
    """``yolov5/utils/dataloaders.py``: ``./`` at the start of a line is the list's own folder."""
    for split in ("train", "valid", "mini_train", "full"):
        listing = folded / "lists" / f"{split}.txt"
        lines = listing.read_text().splitlines()
        paths = [Path(line.replace("./", f"{listing.parent}/", 1)) for line in lines]
        assert {path.resolve() for path in paths} == {path.resolve() for path in (folded / "images" / split).iterdir()}
