from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from data_prep.errors import DivergedError, InputError, WorkFailedError
from trainable.checkpoint import write_checkpoint
from trainable.dataset import DataStore
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings

pytestmark = pytest.mark.timeout(60)
LIVELY = Hyp(mixup=0.5, degrees=5.0, fliplr=0.5, flipud=0.5, mosaic=0.8)
TIMES = {"epoch_seconds", "images_per_second"}


def run(loop: EpochLoop, epochs: int) -> list[dict[str, Any]]:
    return [{k: v for k, v in loop.run_epoch().as_dict().items() if k not in TIMES} for _ in range(epochs)]


def flat(state: Any, path: str = "") -> dict[str, Any]:
    if isinstance(state, dict):
        return {k: v for key, value in state.items() for k, v in flat(value, f"{path}/{key}").items()}
    if isinstance(state, list | tuple):
        return {k: v for i, value in enumerate(state) for k, v in flat(value, f"{path}/{i}").items()}
    return {path: state}


def assert_same_bits(one: EpochLoop, other: EpochLoop) -> None:
    mine, theirs = flat(one.state_dict()), flat(other.state_dict())
    assert mine.keys() == theirs.keys()
    for key, value in mine.items():
        same = torch.equal(value, theirs[key]) if isinstance(value, torch.Tensor) else value == theirs[key]
        assert same, key


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_training_equals_one_without_a_break(
    settings: TrainSettings, tmp_path: Path, optimizer: str, workers: int
) -> None:
    settings = dataclasses.replace(settings, optimizer=optimizer, workers=workers, epochs=3)
    whole = EpochLoop(settings, LIVELY)
    expected = run(whole, 3)

    first = EpochLoop(settings, LIVELY)
    found = run(first, 1)
    first.save(tmp_path)
    second = EpochLoop(settings, LIVELY)
    second.load(tmp_path)
    found += run(second, 2)

    assert found == expected
    assert_same_bits(second, whole)


def test_loops_in_one_process_do_not_disturb_each_other(settings: TrainSettings) -> None:
    alone = run(EpochLoop(settings, LIVELY), 2)

    store = DataStore()
    one, other = EpochLoop(settings, LIVELY, store), EpochLoop(settings, Hyp(), store)
    together = []
    for _ in range(2):
        together += run(one, 1)
        run(other, 1)

    assert together == alone


def test_it_learns(settings: TrainSettings, yolov5n_weights: Path) -> None:
    settings = dataclasses.replace(settings, epochs=8, image_size=96, weights=str(yolov5n_weights))

    rows = run(EpochLoop(settings, Hyp(mosaic=0.0, warmup_epochs=0.0)), 8)

    assert rows[-1]["val_box_loss"] < 0.97 * rows[0]["val_box_loss"]
    assert rows[-1]["train_cls_loss"] < 0.90 * rows[0]["train_cls_loss"]


def test_another_seed_is_another_training(settings: TrainSettings) -> None:
    one = run(EpochLoop(settings, Hyp()), 1)
    other = run(EpochLoop(dataclasses.replace(settings, seed=1), Hyp()), 1)

    assert one[0]["train_box_loss"] != other[0]["train_box_loss"]


def test_divergence_is_named_with_its_epoch(settings: TrainSettings) -> None:
    loop = EpochLoop(settings, Hyp(lr0=1e6, warmup_epochs=0.0))

    with pytest.raises(DivergedError, match=r"diverged in epoch \d.*lr0 1e\+06"):
        run(loop, 4)


@pytest.mark.parametrize("path", ["fast", "exact"])
def test_a_loss_that_explodes_without_reaching_infinity_has_diverged(settings: TrainSettings, path: str) -> None:
    loop = EpochLoop(dataclasses.replace(settings, path=path), Hyp(obj=0.5))
    with torch.no_grad():
        for layer in loop.parts.model.model[-1].m:
            layer.bias.fill_(1e4)  # every anchor is certain of an object

    with pytest.raises(DivergedError, match=r"epoch 1: losses box 0\.\d+, obj \d+"):
        loop.run_epoch()


@pytest.mark.parametrize("path", ["fast", "exact"])
def test_weights_that_overflow_only_in_validation_have_diverged(settings: TrainSettings, path: str) -> None:
    loop = EpochLoop(dataclasses.replace(settings, path=path), Hyp())
    with torch.no_grad():  # finite, and too large to be multiplied; training uses the statistics of the batch instead
        loop.parts.ema.ema.model[0].bn.running_mean.fill_(-3e38)
        loop.parts.ema.ema.model[0].bn.running_var.fill_(1e-30)

    with pytest.raises(DivergedError, match="epoch 1: validation losses"):
        loop.run_epoch()


def test_after_the_last_epoch_there_is_nothing_to_train(settings: TrainSettings) -> None:
    loop = EpochLoop(dataclasses.replace(settings, epochs=1), Hyp())
    run(loop, 1)

    assert loop.finished
    with pytest.raises(WorkFailedError, match="nothing left"):
        loop.run_epoch()


def test_the_weight_decay_is_scaled_as_yolov5_does_to_the_last_bit(settings: TrainSettings) -> None:
    for batch_size in (19, 25, 8):
        settings = dataclasses.replace(settings, batch_size=batch_size, nominal_batch_size=64)
        expected = 0.0005
        expected *= batch_size * round(64 / batch_size) / 64

        optimizer = EpochLoop(settings, Hyp(weight_decay=0.0005)).parts.optimizer

        assert optimizer.param_groups[1]["weight_decay"] == expected


def test_without_a_validation_split_there_are_no_figures(settings: TrainSettings) -> None:
    loop = EpochLoop(dataclasses.replace(settings, val_split=None), Hyp())

    (row,) = run(loop, 1)

    assert row["train_box_loss"] > 0
    assert not {"fitness", "map50", "val_box_loss", "per_class"} & row.keys()


def test_the_readable_part_of_a_checkpoint_says_what_it_is(settings: TrainSettings, tmp_path: Path) -> None:
    loop = EpochLoop(settings, Hyp(lr0=0.003))
    run(loop, 1)
    loop.save(tmp_path)

    readable = json.loads((tmp_path / "checkpoint.json").read_text())

    assert readable["epoch"] == 1
    assert readable["hyp"]["lr0"] == 0.003
    assert readable["train"]["model"] == "yolov5n"


@pytest.mark.parametrize(
    ("change", "hyp", "named"),
    [
        ({"model": "yolov5s"}, Hyp(), r"train\.model"),
        ({"optimizer": "AdamW"}, Hyp(), r"train\.optimizer"),
        ({}, Hyp(lr0=0.02), r"hyp\.lr0"),
        ({}, Hyp(anchors=4), r"hyp\.anchors"),
    ],
)
def test_the_checkpoint_of_another_training_is_refused(
    settings: TrainSettings, tmp_path: Path, change: dict[str, Any], hyp: Hyp, named: str
) -> None:
    EpochLoop(settings, Hyp()).save(tmp_path)

    with pytest.raises(WorkFailedError, match=f"another training.*{named}"):
        EpochLoop(dataclasses.replace(settings, **change), hyp).load(tmp_path)


def test_a_checkpoint_that_lacks_something_is_refused(settings: TrainSettings, tmp_path: Path) -> None:
    loop = EpochLoop(settings, Hyp())
    readable = {"hyp": loop.hyp.as_dict(), "train": settings.as_dict(), "metrics": {}}
    write_checkpoint(tmp_path, {"epoch": 1}, readable)

    with pytest.raises(WorkFailedError, match="does not fit"):
        loop.load(tmp_path)


@pytest.mark.parametrize(
    ("optimizer", "hyp", "named"), [("Adam", Hyp(momentum=1.0), "momentum"), ("SGD", Hyp(anchors=0.3), "anchors")]
)
def test_hyps_that_cannot_be_built_are_named(settings: TrainSettings, optimizer: str, hyp: Hyp, named: str) -> None:
    with pytest.raises(InputError, match=named):
        EpochLoop(dataclasses.replace(settings, optimizer=optimizer), hyp)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"device": "cuda:7"}, "cuda:7"),
        ({"device": "gpu"}, "gpu"),
        ({"device": "meta"}, "meta"),
        ({"data": "nowhere/data.yaml"}, "nowhere"),
        ({"train_split": "test"}, "test"),
        ({"weights": "nowhere.pt"}, "nowhere.pt"),
    ],
)
def test_wrong_settings_are_named(settings: TrainSettings, change: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        EpochLoop(dataclasses.replace(settings, **change), Hyp())
