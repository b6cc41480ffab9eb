"""Scoring 100,000 boxes: hypsweep beside map-boxes, as the package index has it and with its compiled part.

Every side reads the same two CSV files and returns mAP and the AP of each class; they take turns, after one round that
is not counted, and their results are compared. Two scenes with as many predictions: `usual`, ten answers and twenty
predictions an image, and `crowded`, a hundred and a thousand. map-boxes 1.0.6 as published is Python alone. Its
compiled part, one function in Cython, stands in release 1.0.5; --compiled names a folder that was filled by

    pip install --target FOLDER --no-deps map-boxes==1.0.5 cython

and the function is built from there with the machine's C compiler. Prints one JSON line last.

Usage: python benchmarks/score.py [--boxes 100000] [--rounds 7] [--iou 0.75] [--compiled FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from trainable.score import score_files

with contextlib.redirect_stdout(io.StringIO()):  # it says that its compiled part is missing
    import map_boxes

Result = tuple[float, dict[str, float]]
Side = Callable[[Path, Path, float], Result]

CLASSES = ("cow", "goat", "horse", "pig", "sheep")
SCENES = {"usual": (20, 10), "crowded": (1000, 100)}
"""Predictions and answers of an image."""


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        sides: dict[str, Side] = {"hypsweep": by_us, "map_boxes": by_map_boxes}
        if arguments.compiled:
            sides["map_boxes_compiled"] = with_compiled(compiled_overlap(arguments.compiled, Path(folder)))
        scenes = {}
        for name, (predictions, answers) in SCENES.items():
            images = max(arguments.boxes // predictions, 1)
            files = write(Path(folder), images, answers, arguments.boxes, np.random.default_rng(arguments.seed))
            scenes[name] = {"images": images, "answers": images * answers, **compare(sides, files, arguments)}
    report = {
        "benchmark": "score",
        "machine": platform.processor() or platform.machine(),
        "boxes": arguments.boxes,
        "iou": arguments.iou,
        "rounds": arguments.rounds,
        "scenes": scenes,
    }
    print(json.dumps(report))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=100_000, help="predictions")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--iou", type=float, default=0.75)
    parser.add_argument("--compiled", type=Path, help="folder with map-boxes 1.0.5 and Cython")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def by_us(answer: Path, prediction: Path, iou: float) -> Result:
    found = score_files(answer, prediction, iou).as_dict()
    return found["map"], found["per_class"]


def by_map_boxes(answer: Path, prediction: Path, iou: float) -> Result:
    mean, per_class = map_boxes.mean_average_precision_for_boxes(str(answer), str(prediction), iou, verbose=False)
    return float(mean), {name: float(found[0]) for name, found in per_class.items()}


def with_compiled(overlap: Callable[..., Any]) -> Side:
    """The two forms of map-boxes differ in this function alone."""

    def score(answer: Path, prediction: Path, iou: float) -> Result:
        with patch.object(map_boxes, "compute_overlap", overlap):
            return by_map_boxes(answer, prediction, iou)

    return score


def compiled_overlap(folder: Path, build: Path) -> Callable[..., Any]:
    """Build the function as map-boxes itself does, by pyximport."""
    sys.path += [str(folder), str(folder / "map_boxes")]  # last, so that map-boxes stays the installed one
    import pyximport

    pyximport.install(build_dir=str(build), setup_args={"include_dirs": np.get_include()}, reload_support=False)
    overlap: Callable[..., Any] = importlib.import_module("compute_overlap").compute_overlap
    return overlap


def write(folder: Path, images: int, answers: int, predictions: int, rng: np.random.Generator) -> tuple[Path, Path]:
    """Answers all over each image, and predictions: most beside an answer, some anywhere, by falling confidence."""
    wanted = boxes(rng, images * answers)
    wanted.insert(0, "ImageID", np.repeat(np.arange(images), answers))
    near = wanted.sample(predictions, replace=True, random_state=int(rng.integers(2**31))).reset_index(drop=True)
    lost = rng.random(predictions) < 0.3
    near.loc[lost, CORNERS] = boxes(rng, int(lost.sum()))[CORNERS].to_numpy()
    near[CORNERS] += rng.normal(0, 0.005, (predictions, 4))
    near.insert(2, "Conf", rng.random(predictions))
    found = near.sort_values(["ImageID", "Conf"], ascending=[True, False])
    files = folder / "answer.csv", folder / "prediction.csv"
    for table, file in zip((wanted, found), files, strict=True):
        table["ImageID"] = [f"image_{image:06d}.jpg" for image in table["ImageID"]]
        table.to_csv(file, index=False)
    return files


CORNERS = ["XMin", "XMax", "YMin", "YMax"]


def boxes(rng: np.random.Generator, count: int) -> pd.DataFrame:
    left, top = rng.random((2, count)) * 0.9
    width, height = rng.uniform(0.03, 0.1, (2, count))
    table = pd.DataFrame({"XMin": left, "XMax": left + width, "YMin": top, "YMax": top + height})
    table.insert(0, "LabelName", rng.choice(CLASSES, count))
    return table


def compare(sides: dict[str, Side], files: tuple[Path, Path], arguments: argparse.Namespace) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    results: dict[str, Result] = {}
    for _ in range(arguments.rounds + 1):
        for name, side in sides.items():
            started = time.perf_counter()
            results[name] = side(*files, arguments.iou)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(took[1:]) for name, took in seconds.items()}
    return {
        "map": results["hypsweep"][0],
        "largest_difference": max(difference(results["hypsweep"], result) for result in results.values()),
        "seconds": {name: round(median, 3) for name, median in medians.items()},
        "spread": {name: [round(min(took[1:]), 3), round(max(took[1:]), 3)] for name, took in seconds.items()},
        "times_faster": {name: round(medians[name] / medians["hypsweep"], 1) for name in sides if name != "hypsweep"},
    }


def difference(ours: Result, theirs: Result) -> float:
    assert ours[1].keys() == theirs[1].keys()
    return max(abs(ours[0] - theirs[0]), *(abs(ours[1][name] - theirs[1][name]) for name in ours[1]))


if __name__ == "__main__":
    main()
