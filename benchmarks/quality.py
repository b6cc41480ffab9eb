"""mAP after a few epochs of stock YOLOv5, our exact path and our fast path: same data, weights and hyp, over seeds.

Trains pretrained weights on a subset of a data set and judges on its whole validation split. The sides take turns seed
by seed, each training in a process of its own. The random draws of the paths differ, so single figures do; the claim
is that the means do not. With --rows an interrupted run goes on after the last training that it finished.

Prints a table and one JSON line last. The verdict ``not_worse`` per metric and path: the mean is not below stock's by
more than stock's own spread (largest minus smallest) over the seeds.

Usage: python benchmarks/quality.py --data .../livestock_a/data.yaml --weights .../yolov5n.pt [--seeds 3]
       [--epochs 10] [--images 256] [--image-size 128] [--batch-size 16] [--rows FILE.jsonl] [--sides stock,exact,fast]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from data_prep.dataset import read_data_yaml
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

SIDES = ("stock", "exact", "fast")
METRICS = ("map50", "map75", "map50_95", "fitness")
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
Row = dict[str, Any]


def main() -> None:
    arguments = parse()
    work = {name: str(getattr(arguments, name)) for name in ("data", "weights")}
    work |= {name: getattr(arguments, name) for name in ("model", "epochs", "images", "image_size", "batch_size")}
    rows = [row for row in read_rows(arguments.rows) if row["work"] == work]
    with tempfile.TemporaryDirectory() as name:
        data = subset(arguments.data, arguments.images, Path(name))
        for seed in range(arguments.seeds):
            for side in arguments.sides:
                if any((row["side"], row["seed"]) == (side, seed) for row in rows):
                    continue
                rows.append({"work": work, **train(side, seed, data, arguments, Path(name))})
                append(arguments.rows, rows[-1])
    rows = [row for row in rows if row["seed"] < arguments.seeds and row["side"] in arguments.sides]
    report = summary(rows)
    print_table(report)
    print(json.dumps({"benchmark": "quality", **work, "seeds": arguments.seeds, **report}))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--model", default="yolov5n")
    for name, default in (("seeds", 3), ("epochs", 10), ("images", 256), ("image-size", 128), ("batch-size", 16)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--sides", type=lambda text: text.split(","), default=SIDES)
    arguments = parser.parse_args()
    if unknown := set(arguments.sides) - set(SIDES):
        parser.error(f"--sides {','.join(unknown)}: choose among {','.join(SIDES)}")
    return arguments


def subset(source: Path, images: int, folder: Path) -> Path:
    """A data.yaml with every k-th training picture; lists, so that stock YOLOv5 writes its caches into ``folder``."""
    described = read_data_yaml(source)
    files = {split: described.images(split) for split in ("train", "val")}
    step = max(len(files["train"]) // images, 1)
    files["train"] = files["train"][::step][:images]
    for split, paths in files.items():
        (folder / f"{split}.txt").write_text("".join(f"{path.absolute()}\n" for path in paths))
    spec = {"path": str(folder), "train": "train.txt", "val": "val.txt", "names": list(described.names)}
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def train(side: str, seed: int, data: Path, arguments: argparse.Namespace, folder: Path) -> Row:
    """One training; the figures of its last epoch."""
    settings = TrainSettings(
        data=str(data), epochs=arguments.epochs, model=arguments.model, weights=str(arguments.weights), seed=seed,
        image_size=arguments.image_size, batch_size=arguments.batch_size, device="cpu",
        path="fast" if side == "fast" else "exact",
    )  # fmt: skip
    if side == "stock":
        command, spec = [sys.executable, str(STOCK)], stock_spec(settings, folder)
    else:
        command, spec = [sys.executable, "-c", OURS], {"train": dataclasses.asdict(settings)}
    started = time.perf_counter()
    epochs = run(command, spec | {"threads": arguments.threads}, folder)
    figures = {name: epochs[-1][name] for name in METRICS if name in epochs[-1]}
    row = {"side": side, "seed": seed, "seconds": round(time.perf_counter() - started, 1), **figures}
    print(json.dumps(row), flush=True)
    return row


def stock_spec(settings: TrainSettings, folder: Path) -> dict[str, Any]:
    return {
        "data": settings.data, "weights": settings.weights, "image_size": settings.image_size,
        "epochs": settings.epochs, "batch_size": settings.batch_size, "seed": settings.seed,
        "optimizer": settings.optimizer, "cosine": False, "names": list(read_data_yaml(Path(settings.data)).names),
        "hyp": {name: value for name, value in Hyp().as_dict().items() if value is not None},
        "save_dir": str(folder / "stock"),
    }  # fmt: skip


def run(command: list[str], spec: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    (folder / "spec.json").write_text(json.dumps(spec))
    done = subprocess.run(
        [*command, str(folder / "spec.json"), str(folder / "out.json")], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"a training failed:\n{done.stderr[-3000:]}")
    found: list[dict[str, Any]] = json.loads((folder / "out.json").read_text())
    return found


def read_rows(path: Path | None) -> list[Row]:
    """Rows of an earlier run; a last line that was cut off is left out."""
    if path is None or not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0]
    path.write_text(f"{whole}\n" if whole else "")
    return [json.loads(line) for line in whole.splitlines()]


def append(path: Path | None, row: Row) -> None:
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def summary(rows: list[Row]) -> dict[str, Any]:
    """Mean and spread per side and metric, and each path less stock."""
    sides = {side: [row for row in rows if row["side"] == side] for side in SIDES}
    report: dict[str, Any] = {side: figures(found) for side, found in sides.items() if found}
    for side in SIDES[1:]:
        if side in report and "stock" in report:
            report[f"{side}_less_stock"] = {
                metric: difference(report[side][metric], report["stock"][metric]) for metric in report["stock"]
            }
    return report


def figures(rows: list[Row]) -> dict[str, dict[str, float]]:
    return {metric: spread([row[metric] for row in rows]) for metric in METRICS if metric in rows[0]}


def spread(values: list[float]) -> dict[str, float]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    mean = statistics.mean(values)
    return {"mean": mean, "std": deviation, "min": min(values), "max": max(values), "count": len(values)}


def difference(ours: dict[str, float], stock: dict[str, float]) -> dict[str, float | bool]:
    """The difference of two means, its standard error, and whether ours is below stock by more than its spread."""
    gap = ours["mean"] - stock["mean"]
    error = math.sqrt(ours["std"] ** 2 / ours["count"] + stock["std"] ** 2 / stock["count"])
    return {"mean": gap, "standard_error": error, "not_worse": gap >= -(stock["max"] - stock["min"])}


def print_table(report: dict[str, Any]) -> None:
    for name, metrics in report.items():
        for metric, found in metrics.items():
            numbers = "  ".join(f"{key} {value:.4f}" for key, value in found.items() if isinstance(value, float))
            verdict = {True: "  not worse", False: "  WORSE"}.get(found.get("not_worse"), "")
            print(f"{name:18} {metric:9} {numbers}{verdict}")


if __name__ == "__main__":
    main()
