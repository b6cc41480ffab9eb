from __future__ import annotations

import logging
import os
import subprocess
import sys
import types
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from data_prep.errors import InputError
from trainable.weights import build_model, load_state, save_stripped, transfer
from trainable.weights_transfer import start_from
from trainable.yolov5_parts import intersect_dicts

pytestmark = pytest.mark.timeout(60)


def test_official_pickled_weights_load_and_fit(yolov5n_weights: Path) -> None:
    state = load_state(yolov5n_weights)
    plain = load_state(yolov5n_weights.with_name("yolov5n_v6.0_state_dict.pt"))
    model = build_model("yolov5n", 80)

    report = transfer(model, state, keep_anchors=False)

    assert report.taken == report.total
    assert report.untaken == ()
    for key, value in plain.items():
        assert torch.equal(model.state_dict()[key], value), key


def test_only_what_fits_is_taken(yolov5n_weights: Path) -> None:
    model = build_model("yolov5n", 2)

    report = transfer(model, load_state(yolov5n_weights), keep_anchors=True)

    names = ["anchors", *(f"m.{layer}.{part}" for layer in range(3) for part in ("weight", "bias"))]
    assert report.total - report.taken == 7
    assert [each.name for each in report.untaken] == [f"model.24.{name}" for name in names]
    assert report.untaken[0].reason == "own anchors kept"
    assert report.untaken[1].reason == "255x64x1x1 there, 21x64x1x1 here"
    assert report.share == 1
    assert str(report).startswith("Transferred 342 of 349 tensors; not taken: model.24.anchors (own anchors kept), mod")


def test_what_is_taken_is_what_yolov5_takes(yolov5n_weights: Path) -> None:
    state, model = load_state(yolov5n_weights), build_model("yolov5n", 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    theirs = intersect_dicts(state, before, exclude=[])

    report = transfer(model, state, keep_anchors=False)

    assert report.taken == len(theirs)
    assert {each.name for each in report.untaken} == before.keys() - theirs.keys()
    for name, value in model.state_dict().items():
        assert torch.equal(value, theirs.get(name, before[name])), name


@pytest.mark.parametrize(("classes", "level"), [(80, logging.INFO), (2, logging.WARNING)])
def test_a_start_is_logged_in_one_line(
    yolov5n_weights: Path, caplog: pytest.LogCaptureFixture, classes: int, level: int
) -> None:
    caplog.set_level(logging.INFO, logger="trainable")

    start_from(
        build_model("yolov5n", classes), load_state(yolov5n_weights), keep_anchors=False, weights="w.pt", name="n"
    )

    (record,) = caplog.records
    assert record.levelno == level
    assert record.getMessage().startswith(f"w.pt: Transferred {349 if classes == 80 else 343} of 349 tensors")
    assert ("model.24.m.2.bias (255 there, 21 here)" in record.getMessage()) == (classes == 2)


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [("yolov5s", "yolov5n"), ("yolov5n", "yolov5n6"), ("yolov5n6", "yolov5n"), ("yolov5m", "yolov5s")],
)
def test_weights_of_another_model_are_refused_by_its_name(theirs: str, mine: str) -> None:
    state = build_model(theirs, 2).state_dict()

    with pytest.raises(InputError, match=rf"w\.pt: too little of it fits {mine} .*weights of {theirs};.*train\.model"):
        start_from(build_model(mine, 2), state, keep_anchors=False, weights="w.pt", name=mine)


def test_a_checkpoint_of_ultralytics_is_named_as_such(tmp_path: Path) -> None:
    module = types.ModuleType("ultralytics.nn.tasks")
    model = type("DetectionModel", (nn.Sequential,), {"__module__": module.__name__})
    module.DetectionModel = model  # type: ignore[attr-defined]
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        torch.save({"model": model(nn.Conv2d(1, 1, 1))}, tmp_path / "w.pt")
    finally:
        sys.modules.pop(module.__name__) if before is None else sys.modules.update({module.__name__: before})

    with pytest.raises(InputError, match=r"w\.pt: .*ultralytics package \(YOLOv8 or later\)"):
        load_state(tmp_path / "w.pt")


def test_a_checkpoint_from_the_middle_of_a_training_loads(tmp_path: Path) -> None:
    """What `yolov5.train` writes after each epoch: two models, an optimizer, NumPy numbers, options."""
    model = build_model("yolov5n", 2)
    model.class_weights, model.hyp = np.ones(2), {"lr0": 0.1}
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, 64, 64))  # leaves expanded views of its anchors in the head
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    content = {
        "epoch": 3, "best_fitness": np.float64(0.5), "model": deepcopy(model).half(), "ema": deepcopy(model).half(),
        "updates": 17, "optimizer": optimizer.state_dict(), "opt": {"weights": "x.pt", "freeze": [0]}, "date": "today",
    }  # fmt: skip
    torch.save(content, tmp_path / "last.pt")

    state = load_state(tmp_path / "last.pt")

    assert list(state) == list(model.state_dict())
    assert transfer(build_model("yolov5n", 2), state, keep_anchors=False).untaken == ()


def test_a_state_dict_equals_that_of_the_pickled_model(tmp_path: Path) -> None:
    """Bit by bit, for every kind of module that the package has, whether it takes part in a detector or not."""
    for name in ("yolov5n6", "yolov5s-ghost", "yolov5s-transformer", "yolov5s-LeakyReLU"):
        model = build_model(name, 2)
        torch.save({"model": model}, tmp_path / "w.pt")

        state = load_state(tmp_path / "w.pt")

        expected = model.state_dict()
        assert list(state) == list(expected)
        assert all(torch.equal(state[key], value) for key, value in expected.items())


def test_a_models_activation_is_its_own() -> None:
    """parse_model would leave it to every model that a reused worker builds afterwards."""
    activations = [
        {type(module).__name__ for module in build_model(name, 2).modules()} & {"SiLU", "LeakyReLU"}
        for name in ("yolov5n", "yolov5s-LeakyReLU", "yolov5n")
    ]
    assert activations == [{"SiLU"}, {"LeakyReLU"}, {"SiLU"}]


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.pt")
    for path in (tmp_path, tmp_path / "w.pt", Path("/dev/zero")):
        with pytest.raises(InputError, match="no file"):
            load_state(path)


def test_nothing_is_left_of_weights_that_could_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "w.pt").mkdir()

    with pytest.raises(OSError, match="directory"):
        save_stripped(build_model("yolov5n", 2), tmp_path / "w.pt")

    assert [path.name for path in tmp_path.iterdir()] == ["w.pt"]


def test_stripped_weights_come_back_in_half_precision(tmp_path: Path) -> None:
    model = build_model("yolov5n", 2)
    size = save_stripped(model, tmp_path / "w.pt")

    state = load_state(tmp_path / "w.pt")

    assert size == (tmp_path / "w.pt").stat().st_size < 5e6
    for key, value in model.state_dict().items():
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(state[key], expected)


def test_stock_yolov5_reads_stripped_weights(tmp_path: Path) -> None:
    """Stock code, in a process of its own; it unpickles, as it does with all its weights."""
    save_stripped(build_model("yolov5n", 2), tmp_path / "w.pt")
    code = (
        "import os, sys, torch; os.environ.update(YOLO_OFFLINE='true', YOLOv5_AUTOINSTALL='false')\n"
        "load = torch.load; torch.load = lambda *a, **k: load(*a, **{'weights_only': False, **k})\n"
        "import yolov5; m = yolov5.load(sys.argv[1], device='cpu', autoshape=False)\n"
        "print(m.model.yaml['nc'], tuple(m(torch.zeros(1, 3, 64, 64))[0].shape))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "w.pt")], capture_output=True, text=True, check=False
    )

    assert done.stdout.strip().endswith("2 (1, 252, 7)"), done.stderr[-2000:]


@pytest.mark.parametrize("content", [b"", b"no zip", {"a": 1}, {"model": nn.Linear(2, 2).state_dict()}, [1, 2]])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, content: object) -> None:
    path = tmp_path / "w.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)

    with pytest.raises(InputError, match=r"w\.pt: is no YOLOv5 checkpoint"):
        load_state(path)
