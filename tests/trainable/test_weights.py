from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from data_prep.errors import InputError
from trainable.weights import build_model, load_state, save_stripped, transfer

pytestmark = pytest.mark.timeout(60)


class Gadget:
    """Unpickled, it runs a command."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.sign}",)


def test_official_pickled_weights_load_and_fit(yolov5n_weights: Path) -> None:
    state = load_state(yolov5n_weights)
    plain = load_state(yolov5n_weights.with_name("yolov5n_v6.0_state_dict.pt"))
    model = build_model("yolov5n", 80)

    taken, total = transfer(model, state, keep_anchors=False)

    assert taken == total
    for key, value in plain.items():
        assert torch.equal(model.state_dict()[key], value), key


def test_only_what_fits_is_taken(yolov5n_weights: Path) -> None:
    model = build_model("yolov5n", 2)

    taken, total = transfer(model, load_state(yolov5n_weights), keep_anchors=True)

    assert total - taken == 7  # weight and bias of three output layers, and the anchors


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


@pytest.mark.parametrize("form", ["bare", "beside a model", "inside a module", "in a state_dict"])
def test_a_malicious_checkpoint_is_refused_and_runs_nothing(tmp_path: Path, form: str) -> None:
    sign, gadget = tmp_path / "ran", Gadget(tmp_path / "ran")
    model = build_model("yolov5n", 2)
    if form == "inside a module":
        model.hyp = gadget
    content = {
        "bare": gadget,
        "beside a model": {"model": model, "opt": gadget},
        "inside a module": {"model": model},
        "in a state_dict": {**model.state_dict(), "model.x": gadget},
    }[form]
    torch.save(content, tmp_path / "w.pt")

    with pytest.raises(InputError, match=r"w\.pt"):
        load_state(tmp_path / "w.pt")

    assert not sign.exists()


@pytest.mark.parametrize("content", [b"", b"no zip", {"a": 1}, {"model": nn.Linear(2, 2).state_dict()}, [1, 2]])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, content: object) -> None:
    path = tmp_path / "w.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)

    with pytest.raises(InputError, match=r"w\.pt: is no YOLOv5 checkpoint"):
        load_state(path)
