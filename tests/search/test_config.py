from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from data_prep.errors import InputError
from search.config import load_sweep_config
from search.config_files import check_files
from search.schedulers.config import SchedulerConfig
from search.space import Space
from tests.search.conftest import SweepFiles


def test_relative_paths_start_at_the_folder_of_the_yaml(files: SweepFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    config = files.config(train={"epochs": 3, "weights": "w.pt"}, storage_path="store")
    assert config.data == files.data
    assert config.space == files.folder / "space.yaml"
    assert config.settings().weights == str(files.folder / "w.pt")
    assert config.storage_path == str(files.folder / "store")


def test_an_official_name_of_weights_is_no_path_unless_the_file_is_there(files: SweepFiles) -> None:
    train = {"epochs": 3, "weights": "yolov5n.pt"}
    config = files.config(train=train)
    assert config.settings().weights == "yolov5n.pt"
    check_files(config)
    with pytest.raises(InputError, match=r"train\.weights: there is no file .*yolov5q\.pt"):
        check_files(files.config(train={**train, "weights": "yolov5q.pt"}))

    (files.folder / "yolov5n.pt").touch()
    assert files.config(train=train).settings().weights == str(files.folder / "yolov5n.pt")


@pytest.mark.parametrize("cache", ["caches", "/elsewhere/caches", "~/caches"])
def test_all_trials_share_one_cache_folder(files: SweepFiles, cache: str) -> None:
    found = files.config(train={"epochs": 3, "cache_dir": cache}).settings().cache_dir

    # The home is each node's own; a relative path would be another folder in each trial's working folder.
    assert found == (cache if cache.startswith("~") else str(files.folder / cache))


@pytest.mark.parametrize("cache", ["", "a\0b"])
def test_a_cache_folder_that_is_none_is_refused(files: SweepFiles, cache: str) -> None:
    with pytest.raises(InputError, match=r"train\.cache_dir is .*give a folder"):
        files.config(train={"epochs": 3, "cache_dir": cache})


def test_a_bucket_stays_as_it_is(files: SweepFiles) -> None:
    assert files.config(storage_path="s3://bucket/sweeps").storage_path == "s3://bucket/sweeps"


def test_defaults_are_yolov5s_and_what_was_measured_best(files: SweepFiles) -> None:
    values = {"name": "x", "data": "data.yaml", "space": "space.yaml", "train": {"epochs": 5}}
    path = files.folder / "short.yaml"
    path.write_text(yaml.safe_dump(values))
    config = load_sweep_config(path)
    assert sorted(config.sampler.members) == ["curve_gp", "tpe"]
    assert (config.scheduler.type, config.scheduler.spared) == ("asha", (0,))
    assert (config.settings().image_size, config.settings().nominal_batch_size) == (640, 64)
    assert config.base_hyp().lr0 == 0.01
    assert (config.keep_best_checkpoints, config.max_paused_checkpoints) == (1, 20)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trails": 5}, ["trails", "trials"]),
        ({"train": {"epochs": 5, "epoch": 6}}, ["train.epoch"]),
        ({"train": {}}, ["train.epochs", "missing"]),
        ({"train": {"epochs": "many"}}, ["epochs"]),
        ({"train": {"epochs": 5, "data": "x.yaml"}}, ["train.data", "`data`"]),
        ({"trials": 0}, ["trials"]),
        ({"mode": "most"}, ["mode"]),
        ({"resources": {"cpus": 0}}, ["resources.cpus"]),
        ({"scheduler": {"grace_period": 10}, "train": {"epochs": 9}}, ["grace_period", "10", "9"]),
        ({"scheduler": {"type": "hyperband"}}, ["scheduler.type"]),
        ({"sampler": {"members": {"gaa": {}}}}, ["gaa"]),
        ({"max_paused_checkpoints": -1}, ["max_paused_checkpoints"]),
        ({"keep_best_checkpoint": 1}, ["keep_best_checkpoint", "keep_best_checkpoints"]),
        ({"name": "two words"}, ["name", "two words"]),
    ],
)
def test_a_wrong_key_or_value_is_named(files: SweepFiles, changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        files.config(**changes)
    for word in (str(files.folder / "sweep.yaml"), *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(("text", "words"), [("a: [", "YAML"), ("- 1", "pairs"), (None, "cannot be read")])
def test_a_file_that_is_no_sweep_is_refused(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "sweep.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=words):
        load_sweep_config(path)


@pytest.mark.parametrize(("epochs", "expected"), [(2, 1), (9, 2), (20, 4), (27, 5), (100, 20)])
def test_the_first_rung_is_a_fifth_of_the_epochs(epochs: int, expected: int) -> None:
    assert SchedulerConfig().first_rung(epochs) == expected


def test_trial_0_starts_from_what_is_stated_before_the_spaces_defaults(files: SweepFiles) -> None:
    space = Space.model_validate(
        {
            "parameters": {
                "lr0": {"low": 0.001, "high": 0.1, "default": 0.02},
                "box": {"low": 0.02, "high": 0.2, "default": 0.1},
                "scale": {"low": 0.0, "high": 0.9},
                "optimizer": {"choices": ["SGD", "AdamW"], "default": "AdamW"},
                "lr_schedule": {"choices": ["linear", "cosine"], "default": "cosine"},
            }
        }
    )
    hyp = files.folder / "stated.yaml"
    hyp.write_text("lr0: 0.03\n")
    config = files.config(hyp=str(hyp), train={"epochs": 3, "optimizer": "SGD"})

    assert config.start(space) == {
        "lr0": 0.03,  # the hyp file
        "box": 0.1,  # the space
        "scale": 0.5,  # YOLOv5
        "optimizer": "SGD",  # train
        "lr_schedule": "cosine",  # the space
    }
