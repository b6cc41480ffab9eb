"""The epoch loop against ``yolov5.train.train``: same seed, hyp, data, float32, CPU -> the same losses and mAPs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.models import model_yaml
from trainable.settings import TrainSettings

RELATIVE = 1e-4
SCRIPT = Path(__file__).with_name("stock_yolov5.py")
LIVELY = Hyp(
    lr0=0.02, lrf=0.2, momentum=0.9, weight_decay=0.001, warmup_epochs=0.5, box=0.08, cls=0.7, obj=0.9, fl_gamma=0.5,
    degrees=10.0, shear=2.0, flipud=0.3, mixup=0.5, mosaic=0.7, scale=0.3, hsv_h=0.05,
)  # fmt: skip

CASES = {
    "scratch, SGD, linear": {"hyp": Hyp(), "optimizer": "SGD", "lr_schedule": "linear"},
    "scratch, AdamW, cosine, another hyp": {
        "hyp": LIVELY,
        "optimizer": "AdamW",
        "lr_schedule": "cosine",
        "seed": 3,
    },
    "pretrained, SGD, linear": {
        "hyp": LIVELY,
        "optimizer": "SGD",
        "lr_schedule": "linear",
        "pretrained": True,
    },
}


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_loop_equals_stock_training(
    case: dict[str, Any], shapes: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    weights = str(request.getfixturevalue("yolov5n_weights")) if case.get("pretrained") else None
    settings = TrainSettings(
        data=str(shapes), epochs=3, model="yolov5n", weights=weights, image_size=96, batch_size=8, device="cpu",
        optimizer=case["optimizer"], lr_schedule=case["lr_schedule"], seed=case.get("seed", 0),
        nominal_batch_size=64, min_warmup_iterations=100, cache="ram",
    )  # fmt: skip

    theirs = stock_epochs(settings, case["hyp"], tmp_path)
    loop = EpochLoop(settings, case["hyp"])
    ours = [loop.run_epoch().as_dict() for _ in range(settings.epochs)]

    for epoch, (mine, stock) in enumerate(zip(ours, theirs, strict=True)):
        per_class = stock.pop("per_class_map50_95")
        del stock["clock"], stock["start"]
        for name, value in stock.items():
            assert mine[name] == pytest.approx(value, rel=RELATIVE, abs=1e-7), f"{name} in epoch {epoch}"
        assert [found["map50_95"] for found in mine["per_class"].values()] == pytest.approx(per_class, rel=RELATIVE)


def stock_epochs(settings: TrainSettings, hyp: Hyp, folder: Path) -> list[dict[str, Any]]:
    """What ``yolov5.train.train`` reports per epoch, in a process of its own."""
    spec = {
        "data": settings.data, "weights": settings.weights or "", "image_size": settings.image_size,
        "cfg": "" if settings.weights else str(model_yaml(settings.model)), "epochs": settings.epochs,
        "batch_size": settings.batch_size, "seed": settings.seed, "optimizer": settings.optimizer,
        "cosine": settings.lr_schedule == "cosine", "names": ["disc", "square"], "hyp": hyp.as_dict(),
        "save_dir": str(folder / "stock"), "threads": torch.get_num_threads(),
    }  # fmt: skip
    (folder / "spec.json").write_text(json.dumps(spec))
    command = [sys.executable, str(SCRIPT), str(folder / "spec.json"), str(folder / "out.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    rows: list[dict[str, Any]] = json.loads((folder / "out.json").read_text())
    assert len(rows) == settings.epochs
    return rows
