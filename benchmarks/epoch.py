"""Seconds of an epoch (training and validation): stock ``yolov5.train.train`` against the exact and the fast path.

Same data, model, hyp and threads; the three sides take turns, each in a process of its own. The first epoch, which
reads files, is left out. Prints one JSON line last.

Usage: python benchmarks/epoch.py [--data .../data.yaml] [--model yolov5n] [--image-size 160] [--batch-size 16]
       [--images 200] [--threads 1] [--rounds 5] [--epochs 3] [--device cpu] [--workers 0]
A drawn herd without --data; yolov5m6 at 256 px wants --batch-size 4. On a GPU: --device cuda:0 --model yolov5m6
--image-size 1280 --images 1000 --threads 16 --workers 8 (both sides then use mixed precision, YOLOv5 its own).
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from data_prep.config import PrepareConfig
from data_prep.dataset import read_data_yaml
from data_prep.prepare import prepare
from data_prep.readers.aihub import AihubReader
from data_prep.synthetic import draw_herd
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


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = subset(arguments, folder)
        seconds: dict[str, list[float]] = {side: [] for side in SIDES}
        for number in range(arguments.rounds):
            for side in SIDES:
                seconds[side] += epochs(side, data, arguments, folder)[1:]
            medians = {side: round(statistics.median(values), 2) for side, values in seconds.items()}
            print(f"round {number + 1}: medians {medians}", flush=True)
    print(json.dumps(report(arguments, seconds)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="yolov5n")
    parser.add_argument("--device", default="cpu")
    for name, default in (
        ("image-size", 160), ("batch-size", 16), ("images", 200), ("threads", 1), ("rounds", 5), ("epochs", 3),
        ("workers", 0),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def subset(arguments: argparse.Namespace, folder: Path) -> Path:
    """So many training pictures, and a quarter as many to validate on."""
    if arguments.data is None:
        draw_herd(folder / "raw", images=arguments.images, seed=0)
        return prepare(PrepareConfig(source=AihubReader(reader="aihub", folder=folder / "raw")), folder / "data")
    data = read_data_yaml(arguments.data)
    for split, count in (("train", arguments.images), ("val", arguments.images // 4)):
        (folder / f"{split}.txt").write_text("\n".join(sorted(map(str, data.images(split)))[:count]) + "\n")
    path = folder / "data.yaml"
    names = dict(enumerate(data.names))
    spec = {"path": str(folder), "train": "train.txt", "val": "val.txt", "nc": len(names), "names": names}
    path.write_text(yaml.safe_dump(spec))
    return path


def epochs(side: str, data: Path, arguments: argparse.Namespace, folder: Path) -> list[float]:
    """Seconds of each epoch of one training."""
    settings = TrainSettings(
        data=str(data), epochs=arguments.epochs, model=arguments.model, image_size=arguments.image_size,
        batch_size=arguments.batch_size, device=arguments.device, path="fast" if side == "stock" else side,
        workers=arguments.workers,
    )  # fmt: skip
    if side == "stock":
        rows = run([sys.executable, str(STOCK)], stock_spec(settings, arguments.threads, folder), folder)
        clocks = [rows[0]["start"], *(row["clock"] for row in rows)]
        return [later - earlier for earlier, later in itertools.pairwise(clocks)]
    rows = run([sys.executable, "-c", OURS], {"train": settings.as_dict(), "threads": arguments.threads}, folder)
    return [row["epoch_seconds"] for row in rows]


def stock_spec(settings: TrainSettings, threads: int, folder: Path) -> dict[str, Any]:
    return {
        "data": settings.data, "weights": "", "cfg": str(model_yaml(settings.model)), "epochs": settings.epochs,
        "image_size": settings.image_size, "batch_size": settings.batch_size, "seed": 0, "optimizer": "SGD",
        "cosine": False, "names": list(read_data_yaml(Path(settings.data)).names), "hyp": Hyp().as_dict(),
        "save_dir": str(folder / "stock"), "threads": threads, "cache": "ram",
        "device": settings.device, "workers": settings.workers,
    }  # fmt: skip


def run(command: list[str], spec: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    (folder / "spec.json").write_text(json.dumps(spec))
    subprocess.run([*command, str(folder / "spec.json"), str(folder / "out.json")], check=True, capture_output=True)
    rows: list[dict[str, Any]] = json.loads((folder / "out.json").read_text())
    return rows


def report(arguments: argparse.Namespace, seconds: dict[str, list[float]]) -> dict[str, Any]:
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    return {
        "benchmark": "epoch",
        **{name: value if not isinstance(value, Path) else str(value) for name, value in vars(arguments).items()},
        "median_s": {side: round(value, 3) for side, value in medians.items()},
        "range_s": {side: [round(min(values), 3), round(max(values), 3)] for side, values in seconds.items()},
        "speedup_exact": round(medians["stock"] / medians["exact"], 3),
        "speedup_fast": round(medians["stock"] / medians["fast"], 3),
    }


if __name__ == "__main__":
    main()
