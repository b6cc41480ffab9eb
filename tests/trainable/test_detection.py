"""The trainable as Ray drives it, without Ray's processes."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.shapes import draw_shapes
from trainable.detection import DetectionTrainable
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings

pytestmark = pytest.mark.timeout(60)


def config(settings: TrainSettings, **hyp: float) -> dict[str, Any]:
    return {"trial_number": 0, "hyp": hyp, "train": {**settings.as_dict(), "epochs": 2}, "checkpoint": None}


def test_a_trial_runs_to_its_last_epoch_and_says_done(settings: TrainSettings) -> None:
    trial = DetectionTrainable(config(settings))

    results = [trial.train() for _ in range(2)]

    assert [(row["epoch"], row["done"]) for row in results] == [(1, False), (2, True)]
    assert 0 <= results[-1]["fitness"] <= 1
    trial.stop()


def test_a_reset_worker_trains_as_a_fresh_one(settings: TrainSettings) -> None:
    fresh = DetectionTrainable(config(settings, lr0=0.02)).train()["train_box_loss"]

    worker = DetectionTrainable(config(settings))
    store = worker._store
    worker.train()
    assert worker.reset(config(settings, lr0=0.02))

    assert worker.train()["train_box_loss"] == fresh
    assert worker._store is store


def test_a_restored_trial_goes_on(settings: TrainSettings, tmp_path: Path) -> None:
    whole = DetectionTrainable(config(settings))
    expected = [whole.train()["train_box_loss"] for _ in range(2)]

    first = DetectionTrainable(config(settings))
    first.train()
    (tmp_path / "c").mkdir()
    first.save_checkpoint(str(tmp_path / "c"))
    by_ray = DetectionTrainable(config(settings))
    by_ray.load_checkpoint(str(tmp_path / "c"))
    by_config = DetectionTrainable({**config(settings), "checkpoint": str(tmp_path / "c")})

    assert by_ray.train()["train_box_loss"] == expected[1]
    assert by_config.train()["train_box_loss"] == expected[1]


def test_restored_after_its_last_epoch_it_reports_that_again(settings: TrainSettings, tmp_path: Path) -> None:
    trial = DetectionTrainable(config(settings))
    last = [trial.train() for _ in range(2)][-1]
    trial.save_checkpoint(str(tmp_path))

    again = DetectionTrainable({**config(settings), "checkpoint": str(tmp_path)}).train()

    assert again["done"]
    assert (again["epoch"], again["fitness"]) == (2, last["fitness"])


def test_divergence_is_a_result(settings: TrainSettings) -> None:
    trial = DetectionTrainable(config(settings, lr0=1e6, warmup_epochs=0.0))

    result = trial.train()

    assert result["done"]
    assert math.isnan(result["fitness"])
    assert math.isnan(result["map75"])
    assert result["failure"].startswith("diverged in epoch 1")


def over(config: dict[str, Any]) -> dict[str, Any]:
    """The first result of a trial that is over at once."""
    trial = DetectionTrainable(config)
    row = trial.train()
    assert row["done"]
    assert math.isnan(row["fitness"])
    trial.save_checkpoint("nowhere")  # Ray may ask; there is nothing to keep
    trial.stop()
    return row


def test_a_wrong_setting_ends_the_trial_by_name(settings: TrainSettings) -> None:
    wrong = config(settings)
    wrong["train"]["imgsz"] = 640

    row = over(wrong)

    assert "imgsz" in row["failure"]
    assert row["failure_kind"] == "input"


def test_a_data_set_that_is_gone_is_told_from_a_trials_own_fault(settings: TrainSettings, tmp_path: Path) -> None:
    row = over(config(dataclasses.replace(settings, data=str(tmp_path / "gone" / "data.yaml"))))

    assert str(tmp_path / "gone") in row["failure"]
    assert row["failure_kind"] == "data"


def test_a_broken_image_is_named_where_the_policy_is_to_fail(settings: TrainSettings, tmp_path: Path) -> None:
    data = draw_shapes(tmp_path, train=4, val=2, seed=0)
    image = next((tmp_path / "images" / "train").iterdir())
    image.write_bytes(image.read_bytes()[:-200])

    row = over(config(dataclasses.replace(settings, data=str(data), broken_images="fail")))

    assert str(image) in row["failure"]
    assert row["failure_kind"] == "image"


def test_a_checkpoint_that_cannot_be_stored_leaves_nothing_in_tmp(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = DetectionTrainable(config(settings))
    trial.train()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    trial._storage = object()  # a storage that can do nothing

    with pytest.raises(AttributeError):
        trial.save()

    assert list(tmp_path.iterdir()) == []


def test_an_epoch_that_was_left_half_done_is_not_saved(settings: TrainSettings, tmp_path: Path) -> None:
    trial = DetectionTrainable(config(settings, lr0=1e6, warmup_epochs=0.0))
    while "failure" not in trial.train():
        pass

    trial.save_checkpoint(str(tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_a_worker_whose_trial_failed_takes_the_next_one(settings: TrainSettings) -> None:
    worker = DetectionTrainable(config(settings, lr0=1e6, warmup_epochs=0.0))
    rows = [worker.train() for _ in range(2)]
    assert "diverged" in rows[-1]["failure"]
    assert rows[-1]["failure_kind"] == "diverged"

    assert worker.reset(config(settings))

    assert "failure" not in worker.train()


def test_the_loop_keeps_what_it_reported_in_its_checkpoint(settings: TrainSettings, tmp_path: Path) -> None:
    loop = EpochLoop(settings, Hyp())
    row = loop.run_epoch().as_dict()
    loop.save(tmp_path)
    other = EpochLoop(settings, Hyp())
    other.load(tmp_path)

    assert other.last == row
