"""Records real learning curves, for benchmarks of search methods that need more trainings than a machine can run.

Trains a Sobol design of hyps on livestock_a (pretrained yolov5n, 256 pictures at 128 px, 20 epochs, fast path) and
the default hyp over 8 seeds, for the noise. One row per training goes to ``benchmarks/curves/livestock_a.csv`` as soon
as it is done; started again, the script goes on after the last row. A training takes about a minute on one core.

Columns: ``config`` (number in the design; ``default`` for the default hyp), ``seed``, the searched hyps, ``failure``
(kind, if it diverged; the rest of its curve is empty), ``seconds``, and ``fitness_01`` ... ``fitness_20``,
``map50_01`` ..., ``map75_01`` ... by epoch. Prints one JSON line last.

Usage: python benchmarks/record_curves.py --data .../livestock_a/data.yaml --weights .../yolov5n.pt [--configs 192]
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml
from scipy.stats import qmc

from data_prep.dataset import read_data_yaml
from data_prep.errors import DivergedError
from trainable.dataset import DataStore
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings

TABLE = Path(__file__).with_name("curves") / "livestock_a.csv"
EPOCHS, IMAGES, IMAGE_SIZE, DESIGN_SEED = 20, 256, 128, 0
DEFAULT_SEEDS = range(8)
METRICS = ("fitness", "map50", "map75")
SPACE: dict[str, tuple[float, float, bool]] = {  # bounds of YOLOv5's own table (`--evolve`); whether in logarithm
    "lr0": (1e-4, 1e-1, True),
    "lrf": (0.01, 1.0, True),
    "momentum": (0.6, 0.98, False),
    "weight_decay": (1e-5, 1e-2, True),
    "warmup_epochs": (0.0, 5.0, False),
    "box": (0.02, 0.2, True),
    "cls": (0.2, 4.0, True),
    "obj": (0.2, 4.0, True),
    "scale": (0.0, 0.9, False),
    "mosaic": (0.0, 1.0, False),
}


class Training(NamedTuple):
    """One row to record."""

    config: str
    seed: int
    values: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--configs", type=int, default=192)
    parser.add_argument("--table", type=Path, default=TABLE)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    done = recorded(arguments.table)
    store = DataStore()
    with tempfile.TemporaryDirectory() as folder:
        data = subset(arguments.data, Path(folder))
        settings = TrainSettings(
            data=str(data), epochs=EPOCHS, model="yolov5n", weights=str(arguments.weights), image_size=IMAGE_SIZE,
            batch_size=16, device="cpu", path="fast",
        )  # fmt: skip
        for training in planned(arguments.configs):
            if (training.config, str(training.seed)) not in done:
                append(arguments.table, train(training, settings, store))
    print(json.dumps({"benchmark": "record_curves", "path": "fast", "rows": len(recorded(arguments.table))}))


def planned(configs: int) -> Iterator[Training]:
    """The design, with a seed of the default hyp after each eighth configuration."""
    defaults = iter(DEFAULT_SEEDS)
    design = qmc.Sobol(len(SPACE), seed=DESIGN_SEED).random(2 ** math.ceil(math.log2(configs)))
    for number, point in enumerate(design[:configs]):
        if number % 8 == 0 and (seed := next(defaults, None)) is not None:
            yield Training("default", seed, {name: Hyp().as_dict()[name] for name in SPACE})
        yield Training(str(number), 0, {name: scaled(name, u) for name, u in zip(SPACE, point, strict=True)})


def scaled(name: str, unit: float) -> float:
    """A value of the space from one between 0 and 1, with the five digits that it is recorded with."""
    low, high, logarithmic = SPACE[name]
    value = low * (high / low) ** unit if logarithmic else low + unit * (high - low)
    return float(f"{value:.5g}")


def subset(data_yaml: Path, folder: Path) -> Path:
    """A data.yaml with a seeded choice of the training pictures and the whole validation split."""
    data = read_data_yaml(data_yaml)
    chosen = np.random.default_rng(0).permutation(sorted(map(str, data.images("train"))))[:IMAGES]
    for name, files in (("train", chosen), ("val", sorted(map(str, data.images("val"))))):
        (folder / f"{name}.txt").write_text("\n".join(files) + "\n")
    target = folder / "data.yaml"
    target.write_text(yaml.safe_dump({"train": "train.txt", "val": "val.txt", "names": list(data.names)}))
    return target


def train(training: Training, settings: TrainSettings, store: DataStore) -> dict[str, object]:
    """Train one configuration to its last epoch, or until it diverges."""
    started, curve, failure = time.perf_counter(), [], ""
    loop = EpochLoop(dataclasses.replace(settings, seed=training.seed), Hyp(**training.values), store)
    try:
        while not loop.finished:
            curve.append(loop.run_epoch().as_dict())
    except DivergedError:
        failure = "diverged"
    row: dict[str, object] = {"config": training.config, "seed": training.seed, **training.values, "failure": failure}
    row["seconds"] = round(time.perf_counter() - started, 1)
    for metric in METRICS:
        for epoch in range(EPOCHS):
            row[f"{metric}_{epoch + 1:02d}"] = f"{curve[epoch][metric]:.5f}" if epoch < len(curve) else ""
    return row


def recorded(table: Path) -> set[tuple[str, str]]:
    if not table.is_file():
        return set()
    with table.open(newline="") as file:
        return {(row["config"], row["seed"]) for row in csv.DictReader(file)}


def append(table: Path, row: dict[str, object]) -> None:
    """Add a row; the header, too, where the table is new."""
    table.parent.mkdir(parents=True, exist_ok=True)
    new = not table.is_file()
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(f"config {row['config']}, seed {row['seed']}: {row['fitness_20'] or row['failure']}", flush=True)


if __name__ == "__main__":
    main()
