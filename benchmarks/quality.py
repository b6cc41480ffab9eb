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
import json
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import sides
from sides import SIDES, path_of, subset

from trainable.settings import TrainSettings

METRICS = ("map50", "map75", "map50_95", "fitness")
Row = dict[str, Any]


def main() -> None:
    arguments = parse()
    work = {name: str(getattr(arguments, name)) for name in ("data", "weights")}
    work |= {name: getattr(arguments, name) for name in ("model", "epochs", "images", "image_size", "batch_size")}
    rows = [row for row in read_rows(arguments.rows) if row["work"] == work]
    with tempfile.TemporaryDirectory() as name:
        data = subset(arguments.data, Path(name), arguments.images)
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


def train(side: str, seed: int, data: Path, arguments: argparse.Namespace, folder: Path) -> Row:
    """One training; the figures of its last epoch."""
    settings = TrainSettings(
        data=str(data), epochs=arguments.epochs, model=arguments.model, weights=str(arguments.weights), seed=seed,
        image_size=arguments.image_size, batch_size=arguments.batch_size, device="cpu",
        path=path_of(side),
    )  # fmt: skip
    started = time.perf_counter()
    epochs = sides.train(side, settings, arguments.threads, folder)
    figures = {name: epochs[-1][name] for name in METRICS if name in epochs[-1]}
    row = {"side": side, "seed": seed, "seconds": round(time.perf_counter() - started, 1), **figures}
    print(json.dumps(row), flush=True)
    return row


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
    by_side = {side: [row for row in rows if row["side"] == side] for side in SIDES}
    report: dict[str, Any] = {side: figures(found) for side, found in by_side.items() if found}
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
