"""Validation alone against ``yolov5.val.run`` on the same weights: metrics, also per class, and losses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from tests.shapes import draw_shapes
from tests.trainable.pictures import COCO_NAMES, write_yaml
from tests.trainable.stock_server import StockServer, validation_spec
from trainable.hyp import Hyp
from trainable.judge import judge
from trainable.loop import EpochLoop
from trainable.metrics import Evaluation
from trainable.settings import TrainSettings
from trainable.weights import build_model, load_state, transfer

RELATIVE = 1e-6
COMMAND_RELATIVE = 1e-3
QUICK = Hyp(lr0=0.02, mosaic=0.0, warmup_epochs=0.2, obj=8.0, cls=2.0)
"""Finds shapes after some thirty batches."""
COLUMNS = ("precision", "recall", "map50", "map75", "map50_95")
State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def small_livestock(livestock: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 pictures of livestock_a to train on and 69 to judge on, as lists of files."""
    folder = tmp_path_factory.mktemp("small_livestock")
    for split, step in (("train", 27), ("val", 3)):
        files = sorted((livestock.parent / "images" / split).iterdir())[::step]
        (folder / f"{split}.txt").write_text("\n".join(str(file) for file in files))
    return write_yaml(folder, "train.txt", "val.txt", ["cow", "pig"])


@pytest.fixture(scope="module")
def trained_on_livestock(small_livestock: Path, yolov5n_weights: Path) -> State:
    return trained(small_livestock, Hyp(warmup_epochs=0.5), epochs=3, image_size=128, weights=str(yolov5n_weights))


@pytest.fixture(scope="module")
def trained_on_shapes(shapes: Path, yolov5n_weights: Path) -> State:
    return trained(shapes, QUICK, epochs=6, image_size=96, weights=str(yolov5n_weights))


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("batch_size", [16, 32])
def test_pretrained_weights_on_real_pictures(
    coco_livestock: Path, yolov5n_weights: Path, stock: StockServer, batch_size: int
) -> None:
    state = fitted(load_state(yolov5n_weights), 80)

    found = equals_stock(state, coco_livestock, 160, batch_size, stock)

    assert found.overall.map50 > 0.2
    assert found.overall.map75 > 0.1


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_trained_weights_on_real_pictures(
    small_livestock: Path, trained_on_livestock: State, stock: StockServer
) -> None:
    found = equals_stock(trained_on_livestock, small_livestock, 128, 32, stock)

    assert found.overall.map50 > 0.02
    assert found.overall.map75 > 0


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("batch_size", [2, 16])
def test_trained_weights_on_shapes(shapes: Path, trained_on_shapes: State, stock: StockServer, batch_size: int) -> None:
    found = equals_stock(trained_on_shapes, shapes, 96, batch_size, stock)

    assert found.overall.map50 > 0.05


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_judge_equals_stock_one_picture_at_a_time(
    coco_livestock: Path, yolov5n_weights: Path, stock: StockServer
) -> None:
    settings = settings_of(coco_livestock, 160, 2)

    ours = judge(yolov5n_weights, settings, Hyp(), data=coco_livestock, split="val")

    state, names = fitted(load_state(yolov5n_weights), 80), COCO_NAMES
    same_metrics(ours, stock.validate(validation_spec(state, coco_livestock, 160, 1, stock.folder)), names)
    command = {
        "command": True, "data": str(coco_livestock), "weights": str(yolov5n_weights), "batch_size": 1,
        "image_size": 160, "save_dir": str(stock.folder),
    }  # fmt: skip
    # `yolov5 val` folds batch normalisation into the convolutions, which changes the last digits of its boxes.
    same_metrics(ours, stock.validate(command), names, relative=COMMAND_RELATIVE)


SHIFTS = (0.0, 10.0, 30.0)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("error", "ignore:`trapz` is deprecated", "ignore:pkg_resources is deprecated")
@pytest.mark.parametrize("shift", SHIFTS)
def test_pictures_without_predictions(shapes: Path, trained_on_shapes: State, stock: StockServer, shift: float) -> None:
    """Objectness that sinks: all pictures have predictions, then some, then none."""
    state = shifted_objectness(trained_on_shapes, shift)

    equals_stock(state, shapes, 96, 16, stock, empty=dict(zip(SHIFTS, ([0], range(1, 12), [12]), strict=True))[shift])


def _no_box(folder: Path) -> None:
    for label in (folder / "labels" / "val").iterdir():
        label.unlink()


def _one_pixel(folder: Path) -> None:
    for label in (folder / "labels" / "val").iterdir():
        rows = [line.split() for line in label.read_text().splitlines()]
        label.write_text("".join(f"{kind} {x} {y} {1 / 160:.6f} {1 / 128:.6f}\n" for kind, x, y, _, _ in rows))


def _one_class(folder: Path) -> None:
    for label in (folder / "labels" / "val").iterdir():
        label.write_text("".join(f"1 {line[2:]}\n" for line in label.read_text().splitlines()))


def _one_picture(folder: Path) -> None:
    for image in sorted((folder / "images" / "val").iterdir())[1:]:
        image.unlink()


def _twice(folder: Path) -> None:
    for label in (folder / "labels" / "val").iterdir():
        label.write_text(label.read_text() * 2)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "no picture has a box": _no_box,
    "every box is one pixel": _one_pixel,
    "one class has no label": _one_class,
    "one picture": _one_picture,
    "each label stands twice": _twice,
}


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("error", "ignore:`trapz` is deprecated", "ignore:pkg_resources is deprecated")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_degenerate_labels(
    damage: Callable[[Path], None], trained_on_shapes: State, stock: StockServer, tmp_path: Path
) -> None:
    data = draw_shapes(tmp_path / "set", train=4, val=12, seed=7)
    damage(tmp_path / "set")

    equals_stock(trained_on_shapes, data, 96, 16, stock)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_set_of_one_class(stock: StockServer, yolov5n_weights: Path, tmp_path: Path) -> None:
    data = draw_shapes(tmp_path / "set", train=12, val=12, seed=7)
    for label in (tmp_path / "set" / "labels").rglob("*.txt"):
        label.write_text("".join(f"0 {line[2:]}\n" for line in label.read_text().splitlines()))
    data.write_text(yaml.safe_dump({**yaml.safe_load(data.read_text()), "nc": 1, "names": ["shape"]}))
    state = trained(data, QUICK, epochs=3, image_size=96, weights=str(yolov5n_weights))

    found = equals_stock(state, data, 96, 16, stock)

    assert found.losses.cls == 0


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_weights_that_are_not_finite_find_nothing(trained_on_shapes: State, shapes: Path, stock: StockServer) -> None:
    state = {
        key: value * float("nan") if key.endswith("m.0.bias") else value for key, value in trained_on_shapes.items()
    }
    assert any(not torch.isfinite(value.float()).all() for value in state.values())

    found = equals_stock(state, shapes, 96, 16, stock)

    assert np.isnan(found.losses.obj)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_neither_boxes_nor_predictions_is_zero_where_stock_fails(
    trained_on_shapes: State, stock: StockServer, tmp_path: Path
) -> None:
    data = draw_shapes(tmp_path / "set", train=4, val=12, seed=7)
    _no_box(tmp_path / "set")
    state = shifted_objectness(trained_on_shapes, 30.0)

    ours = evaluated(state, data, 96, 16)

    assert ours.overall.fitness == 0
    assert ours.per_class == {}
    with pytest.raises(AssertionError, match="IndexError"):
        stock.validate(validation_spec(state, data, 96, 16, stock.folder))


def equals_stock(
    state: State, data: Path, size: int, batch_size: int, stock: StockServer, empty: Any = None
) -> Evaluation:
    """Judge with both; ``empty`` says how many pictures must have no prediction."""
    theirs = stock.validate(validation_spec(state, data, size, batch_size, stock.folder))
    ours = evaluated(state, data, size, batch_size)
    same_metrics(ours, theirs, yaml.safe_load(data.read_text())["names"])
    losses = [ours.losses.box, ours.losses.obj, ours.losses.cls]
    assert losses == pytest.approx(theirs["results"][4:], rel=RELATIVE, abs=1e-12, nan_ok=True)
    if empty is not None:
        assert 12 - len(theirs["detections"]) in empty
    return ours


def same_metrics(ours: Evaluation, theirs: dict[str, Any], names: list[str], relative: float = RELATIVE) -> None:
    overall = [getattr(ours.overall, name) for name in ("precision", "recall", "map50", "map50_95")]
    assert overall == pytest.approx(theirs["results"][:4], rel=relative, abs=1e-12)
    if not theirs["classes"]:
        assert all(found.fitness == found.map75 == 0 for found in ours.per_class.values())
        return
    ap = np.array(theirs["ap"])
    table = np.stack([theirs["precision"], theirs["recall"], ap[:, 0], ap[:, 5], ap.mean(1)], 1)
    assert list(ours.per_class) == [names[kind] for kind in theirs["classes"]]
    for found, row in zip(ours.per_class.values(), table, strict=True):
        assert [getattr(found, name) for name in COLUMNS] == pytest.approx(row.tolist(), rel=relative, abs=1e-12)
    assert ours.overall.map75 == pytest.approx(ap[:, 5].mean(), rel=relative, abs=1e-12)


def evaluated(state: State, data: Path, size: int, batch_size: int) -> Evaluation:
    loop = EpochLoop(settings_of(data, size, batch_size), Hyp())
    loop.parts.model.load_state_dict(state)
    loop.parts.ema.ema.load_state_dict(state)
    assert loop.parts.val is not None
    return loop.evaluate(loop.parts.val)


def settings_of(data: Path, size: int, batch_size: int) -> TrainSettings:
    """Validation takes twice the batch size of the training."""
    return TrainSettings(
        path="exact", data=str(data), epochs=1, model="yolov5n", image_size=size, batch_size=batch_size // 2,
        device="cpu", cache="none", autoanchor=False,
    )  # fmt: skip


def trained(data: Path, hyp: Hyp, *, epochs: int, image_size: int, weights: str) -> State:
    settings = TrainSettings(
        path="exact", data=str(data), epochs=epochs, model="yolov5n", weights=weights, image_size=image_size,
        batch_size=4, nominal_batch_size=4, min_warmup_iterations=2, device="cpu", val_split=None, cache="ram",
    )  # fmt: skip
    loop = EpochLoop(settings, hyp)
    while not loop.finished:
        loop.run_epoch()
    state: State = loop.parts.model.state_dict()
    return state


def fitted(state: State, class_count: int) -> State:
    """What of ``state`` a model takes: official weights hold a buffer more."""
    model = build_model("yolov5n", class_count)
    transfer(model, state, keep_anchors=False)
    fitting: State = model.state_dict()
    return fitting


def shifted_objectness(state: State, shift: float) -> State:
    """The weights with ``shift`` taken from the logit of each anchor's objectness."""
    changed = {key: value.clone() for key, value in state.items()}
    for layer in range(3):
        changed[f"model.24.m.{layer}.bias"].view(3, -1)[:, 4] -= shift
    return changed
