"""Data sets and hyps that try to run something: YOLOv5 would run the first three of them."""

from __future__ import annotations

import dataclasses
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError
from tests.trainable.hostile import Call
from trainable.hyp import Hyp, read_hyp
from trainable.loop import EpochLoop
from trainable.preflight import preflight
from trainable.settings import TrainSettings

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.fixture
def data(shapes: Path, tmp_path: Path) -> Path:
    """A copy of the shapes to plant things in."""
    shutil.copytree(shapes.parent, tmp_path / "data")
    described = yaml.safe_load(shapes.read_text()) | {"path": str(tmp_path / "data")}
    (tmp_path / "data" / "data.yaml").write_text(yaml.safe_dump(described))
    return tmp_path / "data" / "data.yaml"


def train_an_epoch(settings: TrainSettings, data: Path) -> None:
    settings = dataclasses.replace(settings, data=str(data), epochs=1, cache="none")
    preflight(settings, Hyp())
    for path in ("exact", "fast"):
        EpochLoop(dataclasses.replace(settings, path=path), Hyp()).run_epoch()


def test_a_planted_labels_cache_is_never_read(settings: TrainSettings, data: Path, sign: Path) -> None:
    planted = [data.parent / "labels" / f"{split}.cache" for split in ("train", "val")]
    planted += [data.parent / "labels" / split / "labels.cache" for split in ("train", "val")]
    planted += [data.parent / "labels.cache", data.parent / "images" / "train.cache"]
    for index, path in enumerate(planted):
        content = Call(os.system, f"touch {sign}{index}")
        if index % 2:  # YOLOv5's own form: a NumPy file with a pickled dictionary
            with path.open("wb") as file:
                np.save(file, {"hash": content, "version": 0.6}, allow_pickle=True)
        else:
            path.write_bytes(pickle.dumps(content))
    before = [path.read_bytes() for path in planted]

    train_an_epoch(settings, data)

    assert not list(sign.parent.glob("ran*"))
    assert [path.read_bytes() for path in planted] == before


@pytest.mark.parametrize("form", ["bash", "python", "url"])
@pytest.mark.parametrize("missing", [False, True])
def test_the_download_of_a_data_yaml_is_never_run(
    settings: TrainSettings, data: Path, sign: Path, form: str, missing: bool
) -> None:
    commands = {
        "bash": f"bash -c 'touch {sign}'",
        "python": f"import pathlib\npathlib.Path({str(sign)!r}).touch()\n",
        "url": "https://127.0.0.1:9/shapes.zip",
    }
    described = yaml.safe_load(data.read_text()) | {"download": commands[form]}
    if missing:  # YOLOv5 downloads where pictures are missing
        described["val"] = "images/elsewhere"
    data.write_text(yaml.safe_dump(described))

    if missing:
        for use in (read_data_yaml, lambda path: train_an_epoch(settings, path)):
            with pytest.raises(InputError, match="elsewhere"):
                use(data)
    else:
        read_data_yaml(data)
        train_an_epoch(settings, data)

    assert not sign.exists()
    assert not list(data.parent.parent.glob("*.zip"))


@pytest.mark.parametrize(
    "tag", ["object/apply:os.system", "object/new:os.system", "object/apply:builtins.eval", "name:os.system"]
)
def test_python_in_a_yaml_is_refused(sign: Path, tmp_path: Path, data: Path, tag: str) -> None:
    value = f"!!python/{tag} ['touch {sign}']" if "name" not in tag else f"!!python/{tag} ''"
    hyp = tmp_path / "hyp.yaml"
    hyp.write_text(f"lr0: {value}\n")
    data.write_text(data.read_text() + f"extra: {value}\n")

    for read in (read_hyp, read_data_yaml):
        path = hyp if read is read_hyp else data
        with pytest.raises(InputError, match=str(path)):
            read(path)

    assert not sign.exists()
