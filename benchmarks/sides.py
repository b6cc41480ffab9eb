"""Stock YOLOv5 and both paths of ours on the same data, each training in a process of its own; for other scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from data_prep.dataset import read_data_yaml
from trainable.hyp import Hyp
from trainable.models import model_yaml
from trainable.settings import TrainSettings

SIDES = ("stock", "exact", "fast")
STOCK = Path(__file__).parents[1] / "tests" / "trainable" / "stock_yolov5.py"
OURS = """
import json, sys, torch
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings
spec = json.load(open(sys.argv[1]))
torch.set_num_threads(spec["threads"])
loop = EpochLoop(TrainSettings(**spec["train"]), Hyp())
rows = [loop.run_epoch().as_dict() for _ in range(loop.settings.epochs)]
json.dump(rows, open(sys.argv[2], "w"))
"""


def path_of(side: str) -> str:
    """The setting ``path`` of a side; stock has none and takes any."""
    return "fast" if side == "fast" else "exact"


def subset(source: Path, folder: Path, train: int, val: int | None = None) -> Path:
    """A data.yaml of so many pictures, every k-th of a split; lists, so that stock YOLOv5 writes its caches there."""
    described = read_data_yaml(source)
    for split, count in (("train", train), ("val", val)):
        files = sorted(path.absolute() for path in described.images(split))
        step = max(len(files) // count, 1) if count else 1
        (folder / f"{split}.txt").write_text("".join(f"{path}\n" for path in files[::step][:count]))
    spec = {"path": str(folder), "train": "train.txt", "val": "val.txt", "names": list(described.names)}
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def train(side: str, settings: TrainSettings, threads: int, folder: Path) -> list[dict[str, Any]]:
    """A row per epoch, as each side reports it; stock's have ``clock`` and ``start`` in place of ``epoch_seconds``."""
    if side == "stock":
        return run([sys.executable, str(STOCK)], stock_spec(settings, threads, folder), folder)
    return run([sys.executable, "-c", OURS], {"train": settings.as_dict(), "threads": threads}, folder)


def stock_spec(settings: TrainSettings, threads: int, folder: Path) -> dict[str, Any]:
    """What ``tests/trainable/stock_yolov5.py`` is told; its pictures are kept in memory, as ours are."""
    return {
        "data": settings.data, "weights": settings.weights or "", "epochs": settings.epochs, "seed": settings.seed,
        "cfg": "" if settings.weights else str(model_yaml(settings.model)), "image_size": settings.image_size,
        "batch_size": settings.batch_size, "optimizer": settings.optimizer, "cosine": False, "cache": "ram",
        "names": list(read_data_yaml(Path(settings.data)).names), "hyp": Hyp().as_dict(), "threads": threads,
        "save_dir": str(folder / "stock"), "device": settings.device, "workers": settings.workers,
    }  # fmt: skip


def run(command: list[str], spec: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Run a side with its specification in a file, and read what it leaves."""
    (folder / "spec.json").write_text(json.dumps(spec))
    command = [*command, str(folder / "spec.json"), str(folder / "out.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"a training failed:\n{done.stderr[-3000:]}")
    rows: list[dict[str, Any]] = json.loads((folder / "out.json").read_text())
    return rows
