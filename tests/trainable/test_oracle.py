"""The exact path against ``yolov5.train.train``: same seed, hyp, data, float32, CPU -> the same training.

The cases are a covering array: every pair of levels of any two factors of ``FACTORS`` is in at least one of them (a
test checks that), which takes 10 trainings where the full product has 320. Beside them stand what has no second level
worth a factor: Adam, anchors that are recomputed, the label smoothing, an image size that is no multiple of the stride.

Half of the cases accumulate within the warm-up, with a last batch that is smaller; the others take one picture at a
time and so leave the warm-up, which lasts at least 100 batches, before the last epoch begins.
"""

from __future__ import annotations

import dataclasses
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.shapes import draw_shapes
from tests.trainable.stock_server import StockServer
from trainable import rng
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.models import model_yaml
from trainable.settings import TrainSettings
from trainable.weights import build_model, save_stripped

EPOCHS = 3
RELATIVE = 1e-4
WEIGHTS_RELATIVE = 1e-6
"""To the largest number of a tensor. On the machines that were tried the weights are equal bit by bit."""

CALM = Hyp(warmup_epochs=1.9)
LIVELY = Hyp(
    lr0=0.02, lrf=0.2, momentum=0.9, weight_decay=0.01, warmup_epochs=0.5, warmup_momentum=0.5, warmup_bias_lr=0.05,
    box=0.08, cls=0.7, cls_pw=1.3, obj=0.9, obj_pw=0.8, anchor_t=3.5, fl_gamma=0.5, hsv_h=0.05, hsv_s=0.5, hsv_v=0.6,
    degrees=10.0, translate=0.2, scale=0.3, shear=2.0, perspective=0.0005, flipud=0.3, fliplr=0.4,
)  # fmt: skip
HYPS = {"calm": CALM, "lively": LIVELY}
AUGMENTATIONS = {
    "plain": {"mosaic": 0.0, "mixup": 0.0, "copy_paste": 0.0},
    "mosaic": {"mosaic": 1.0, "mixup": 0.0, "copy_paste": 0.0},
    "mixup": {"mosaic": 1.0, "mixup": 0.5, "copy_paste": 0.0},
    "copy-paste": {"mosaic": 1.0, "mixup": 0.0, "copy_paste": 0.6},
    "all": {"mosaic": 0.7, "mixup": 0.6, "copy_paste": 1.0},
}

FACTORS = ("augmentation", "model", "optimizer", "lr_schedule", "hyp", "start", "batch")
TABLE = """
    plain       yolov5n   SGD    linear  calm    scratch     leaving
    plain       yolov5n6  AdamW  cosine  lively  pretrained  within
    mosaic      yolov5n   AdamW  linear  lively  pretrained  within
    mosaic      yolov5n6  SGD    cosine  calm    scratch     leaving
    mixup       yolov5n   SGD    cosine  lively  pretrained  leaving
    mixup       yolov5n6  AdamW  linear  calm    scratch     within
    copy-paste  yolov5n   AdamW  cosine  calm    pretrained  leaving
    copy-paste  yolov5n6  SGD    linear  lively  scratch     within
    all         yolov5n   AdamW  linear  lively  scratch     within
    all         yolov5n6  SGD    cosine  calm    pretrained  leaving
"""
ROWS = [dict(zip(FACTORS, line.split(), strict=True)) for line in TABLE.split("\n") if line.strip()]
QUICK = ("within", "mixup")
"""Rows with one of these levels are part of ``make test``; the others, which train longest, of ``make test-all``."""
BATCH_SIZES = {"within": 7, "leaving": 1}
IMAGE_SIZES = {"yolov5n": 64, "yolov5n6": 128}
"""The least that YOLOv5 takes: twice the stride."""


def in_time(row: dict[str, str]) -> object:
    """The row as a case of the test."""
    marks = () if set(QUICK) & set(row.values()) else (pytest.mark.exhaustive,)
    return pytest.param(row, id=" ".join(row.values()), marks=marks)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], str]:
    """The data.yaml for a batch level, with boxes or polygons."""
    return {
        (batch, polygons): str(
            draw_shapes(tmp_path_factory.mktemp("set") / "set", train=train, val=12, seed=7, polygons=polygons)
        )
        for batch, train in (("within", 24), ("leaving", 56))
        for polygons in (False, True)
    }


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory, yolov5n_weights: Path) -> dict[str, str]:
    """What ``pretrained`` starts from: official weights, and ones of other classes and anchors."""
    path = tmp_path_factory.mktemp("weights") / "yolov5n6.pt"
    with torch.random.fork_rng():
        torch.manual_seed(11)
        model = build_model("yolov5n6", 5)
    model.model[-1].anchors *= 1.125  # those of the definition would tell nothing about whether they are taken
    save_stripped(model, path)
    return {"yolov5n": str(yolov5n_weights), "yolov5n6": str(path)}


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("row", [in_time(row) for row in ROWS])
def test_loop_equals_stock_training(
    row: dict[str, str], datasets: dict[tuple[str, bool], str], stock: StockServer, request: pytest.FixtureRequest
) -> None:
    augmentation = AUGMENTATIONS[row["augmentation"]]
    pretrained = row["start"] == "pretrained"
    settings = TrainSettings(
        path="exact", data=datasets[row["batch"], augmentation["copy_paste"] > 0], epochs=EPOCHS, model=row["model"],
        weights=request.getfixturevalue("checkpoints")[row["model"]] if pretrained else None,
        image_size=IMAGE_SIZES[row["model"]], batch_size=BATCH_SIZES[row["batch"]], device="cpu", cache="ram",
        optimizer=row["optimizer"], lr_schedule=row["lr_schedule"], seed=3 if row["hyp"] == "lively" else 0,
    )  # fmt: skip

    loop = equals_stock(settings, dataclasses.replace(HYPS[row["hyp"]], **augmentation), stock)

    batches = EPOCHS * len(loop.parts.train)
    assert (loop.parts.schedule.warmup_iterations < batches - len(loop.parts.train)) == (row["batch"] == "leaving")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_recomputed_anchors_adam_and_label_smoothing_equal_stock(
    datasets: dict[tuple[str, bool], str], stock: StockServer
) -> None:
    settings = TrainSettings(
        path="exact", data=datasets["within", False], epochs=EPOCHS, model="yolov5n", image_size=90, batch_size=24,
        device="cpu", cache="none", optimizer="Adam", label_smoothing=0.1, seed=5,
    )  # fmt: skip

    loop = equals_stock(settings, dataclasses.replace(LIVELY, anchors=2.0, anchor_t=1.3), stock)

    head, drawn = loop.parts.model.model[-1], build_model("yolov5n", 2, 2.0).model[-1]
    assert head.anchors.shape == (3, 2, 2)
    assert not torch.allclose(head.anchors, drawn.anchors, rtol=1e-2)


def test_every_pair_of_levels_is_among_the_cases() -> None:
    for one, other in combinations(FACTORS, 2):
        pairs = {(row[one], row[other]) for row in ROWS}
        assert len(pairs) == len({row[one] for row in ROWS}) * len({row[other] for row in ROWS}), (one, other)
    assert {row["augmentation"] for row in ROWS} == set(AUGMENTATIONS)


def equals_stock(settings: TrainSettings, hyp: Hyp, stock: StockServer) -> EpochLoop:
    """Train both; compare what each epoch reports, then the weights and what the random streams would draw next."""
    path = stock.folder / "state.pt"
    theirs = stock.train(stock_spec(settings, hyp, stock.folder) | {"state": str(path)})
    loop = EpochLoop(settings, hyp)
    ours = [loop.run_epoch().as_dict() for _ in range(settings.epochs)]

    for epoch, (mine, row) in enumerate(zip(ours, theirs, strict=True)):
        del row["clock"], row["start"]
        for name in ("map50", "map50_95"):
            row |= {f"{kind} {name}": value for kind, value in enumerate(row.pop(f"per_class_{name}"))}
            mine |= {f"{kind} {name}": found[name] for kind, found in enumerate(mine["per_class"].values())}
        for name, value in row.items():
            assert mine[name] == pytest.approx(value, rel=RELATIVE, abs=1e-9), f"{name} in epoch {epoch}"
    same_state(loop, torch.load(path, weights_only=True))
    return loop


def same_state(loop: EpochLoop, theirs: dict[str, Any]) -> None:
    parts = loop.parts
    same_tensors(parts.model.state_dict(), theirs["model"])
    same_tensors(parts.ema.ema.state_dict(), theirs["ema"])
    assert parts.ema.updates == theirs["ema_updates"] > 0
    for group, wanted in zip(parts.optimizer.param_groups, theirs["groups"], strict=True):
        found = {**group, "tensors": len(group["params"]), "lr": wanted["lr"]}  # stock has set the next epoch's already
        assert {key: found[key] for key in wanted} == pytest.approx(wanted, rel=1e-12)
    assert next_draws(loop) == theirs["next_draws"]


def same_tensors(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, mine in ours.items():
        reach = float(theirs[name].abs().max()) * WEIGHTS_RELATIVE
        assert float((mine.double() - theirs[name].double()).abs().max()) <= reach, name


def next_draws(loop: EpochLoop) -> list[float]:
    """What Python, NumPy and torch would draw next in the training; the test's own streams stay as they are."""
    import random

    before = rng.capture()
    rng.restore(loop.state_dict()["streams"])
    draws = [random.random(), float(np.random.rand()), float(torch.rand(()))]  # noqa: NPY002  # YOLOv5's stream
    rng.restore(before)
    return draws


def stock_spec(settings: TrainSettings, hyp: Hyp, folder: Path) -> dict[str, Any]:
    """The same training for ``stock_yolov5.py``."""
    return {
        "data": settings.data, "weights": settings.weights or "", "image_size": settings.image_size,
        "cfg": "" if settings.weights else str(model_yaml(settings.model)), "epochs": settings.epochs,
        "batch_size": settings.batch_size, "seed": settings.seed, "optimizer": settings.optimizer,
        "cosine": settings.lr_schedule == "cosine", "label_smoothing": settings.label_smoothing,
        "names": ["disc", "square"], "hyp": {k: v for k, v in hyp.as_dict().items() if v is not None},
        "save_dir": str(folder / "run"), "threads": 1,
    }  # fmt: skip
