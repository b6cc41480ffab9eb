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
import tempfile
from pathlib import Path
from typing import Any

from sides import SIDES, path_of, subset, train

from data_prep.config import PrepareConfig
from data_prep.prepare import prepare
from data_prep.readers.aihub import AihubReader
from data_prep.synthetic import draw_herd
from trainable.settings import TrainSettings


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = pictures(arguments, folder)
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


def pictures(arguments: argparse.Namespace, folder: Path) -> Path:
    """So many training pictures, and a quarter as many to validate on."""
    if arguments.data is not None:
        return subset(arguments.data, folder, arguments.images, arguments.images // 4)
    draw_herd(folder / "raw", images=arguments.images, seed=0)
    return prepare(PrepareConfig(source=AihubReader(reader="aihub", folder=folder / "raw")), folder / "data")


def epochs(side: str, data: Path, arguments: argparse.Namespace, folder: Path) -> list[float]:
    """Seconds of each epoch of one training."""
    settings = TrainSettings(
        data=str(data), epochs=arguments.epochs, model=arguments.model, image_size=arguments.image_size,
        batch_size=arguments.batch_size, device=arguments.device, path=path_of(side),
        workers=arguments.workers,
    )  # fmt: skip
    rows = train(side, settings, arguments.threads, folder)
    if side != "stock":
        return [row["epoch_seconds"] for row in rows]
    clocks = [rows[0]["start"], *(row["clock"] for row in rows)]
    return [later - earlier for earlier, later in itertools.pairwise(clocks)]


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
