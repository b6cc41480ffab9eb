"""Weights are not judged on images that they were trained on."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml

from data_prep.dataset import DatasetYaml, read_data_yaml
from data_prep.errors import InputError
from trainable.thresholds.seen import refuse_seen


def data(folder: Path) -> DatasetYaml:
    folder.mkdir()
    (folder / "data.yaml").write_text("train: .\nval: .\ntest: .\nnames: [cow]\n")
    return read_data_yaml(folder / "data.yaml")


def weights(folder: Path, **train: object) -> Path:
    (folder / "train.yaml").write_text(yaml.safe_dump(train))
    return folder / "weights.pt"


@pytest.mark.parametrize(
    ("on", "split", "seen"),
    [
        ("full", "val", True), ("full", "train", True), ("full", "test", False), ("train", "val", False),
        ("train", "train", True), ("mini_train", "val", False), ("mini_train", "train", True), ("val", "val", True),
    ],
)  # fmt: skip
def test_a_split_that_was_trained_on_is_refused(tmp_path: Path, on: str, split: str, seen: bool) -> None:
    described = data(tmp_path / "set")
    path = weights(tmp_path, train_split=on, data=str(described.file))
    if not seen:
        refuse_seen(path, described, split)
        return
    with pytest.raises(InputError, match=rf"train\.yaml: these weights were trained on `{on}`, .* images of `{split}`"):
        refuse_seen(path, described, split)


def test_a_copy_of_a_prepared_set_is_the_same_data(tmp_path: Path) -> None:
    one, copy, other = (data(tmp_path / name) for name in ("one", "copy", "other"))
    for described, content in ((one, "{}"), (copy, "{}"), (other, '{"seed": 1}')):
        described.file.with_name("manifest.json").write_text(content)
    path = weights(tmp_path, train_split="full", data=str(one.file))

    refuse_seen(path, other, "val")
    with pytest.raises(InputError, match="trained on `full`"):
        refuse_seen(path, copy, "val")


def test_where_the_data_is_gone_the_user_is_told_to_look(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    described = data(tmp_path / "set")
    path = weights(tmp_path, train_split="full", data="/gone/data.yaml")
    with caplog.at_level(logging.WARNING):
        refuse_seen(path, described, "val")
    assert "trained on `full` of /gone/data.yaml, which is not there" in caplog.text


@pytest.mark.parametrize("train", [None, {}, {"train_split": 7, "data": 8}])
def test_where_nothing_is_known_nothing_is_refused(tmp_path: Path, train: dict[str, object] | None) -> None:
    described = data(tmp_path / "set")
    path = tmp_path / "weights.pt" if train is None else weights(tmp_path, **train)
    refuse_seen(path, described, "val")
