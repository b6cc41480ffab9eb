"""Seconds of an epoch (training and validation) of the epoch loop against ``yolov5.train.train``, same work, same CPU.

Both sides run interleaved in processes of their own on a drawn herd; the first epoch, which reads files, is left out.
Prints one JSON line last. Usage: python benchmarks/epoch.py [--rounds 5] [--images 200] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from data_prep.config import PrepareConfig
from data_prep.prepare import prepare
from data_prep.readers.aihub import AihubReader
from data_prep.synthetic import draw_herd
from trainable.models import model_yaml
from trainable.settings import TrainSettings

EPOCHS = 3
STOCK = Path(__file__).parents[1] / "tests" / "trainable" / "stock_yolov5.py"
OURS = """
import json, sys, time, torch
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
        draw_herd(folder / "raw", images=arguments.images, seed=0)
        data = prepare(PrepareConfig(source=AihubReader(reader="aihub", folder=folder / "raw")), folder / "data")
        ours, stock = [], []
        for _ in range(arguments.rounds):
            ours += run_ours(data, folder, arguments.threads)[1:]
            stock += run_stock(data, folder, arguments.threads)[1:]
    print(json.dumps(report(arguments, ours, stock)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def settings(data: Path) -> TrainSettings:
    return TrainSettings(data=str(data), epochs=EPOCHS, model="yolov5n", image_size=160, batch_size=16, device="cpu")


def run_ours(data: Path, folder: Path, threads: int) -> list[float]:
    spec = {"train": settings(data).as_dict(), "threads": threads}
    rows = run([sys.executable, "-c", OURS], spec, folder)
    return [row["epoch_seconds"] for row in rows]


def run_stock(data: Path, folder: Path, threads: int) -> list[float]:
    from trainable.hyp import Hyp

    spec = {
        "data": str(data), "weights": "", "cfg": str(model_yaml("yolov5n")), "image_size": 160, "epochs": EPOCHS,
        "batch_size": 16, "seed": 0, "optimizer": "SGD", "cosine": False, "names": ["pig", "cow"],
        "hyp": Hyp().as_dict(), "save_dir": str(folder / "stock"), "threads": threads,
    }  # fmt: skip
    rows = run([sys.executable, str(STOCK)], spec, folder)
    return [
        later["clock"] - earlier["clock"]
        for earlier, later in zip([{"clock": rows[0]["start"]}, *rows], rows, strict=False)
    ]


def run(command: list[str], spec: dict, folder: Path) -> list[dict]:
    (folder / "spec.json").write_text(json.dumps(spec))
    subprocess.run([*command, str(folder / "spec.json"), str(folder / "out.json")], check=True, capture_output=True)
    return json.loads((folder / "out.json").read_text())


def report(arguments: argparse.Namespace, ours: list[float], stock: list[float]) -> dict:
    return {
        "benchmark": "epoch",
        "path": "exact",
        "machine": platform.processor() or platform.machine(),
        **vars(arguments),
        "ours_median_s": statistics.median(ours),
        "ours_range_s": [min(ours), max(ours)],
        "stock_median_s": statistics.median(stock),
        "stock_range_s": [min(stock), max(stock)],
        "speedup": statistics.median(stock) / statistics.median(ours),
    }


if __name__ == "__main__":
    main()
