"""How even a split is, and how long it takes: ours, the iterative-stratification package alone, and chance.

On the real boxes of the competition's test set (`answer.csv`, 1920 x 1080 px), all four kinds of labels: of every label
with at least 100 pictures the share that lies in valid, against 20 %; the largest deviation in percentage points, its
median and worst of the seeds. The three take turns, seed by seed. Then the seconds of `split` on drawn records.
Prints one JSON line last. Usage: python benchmarks/stratification.py [--seeds 20] [--answers CSV] [--rounds 3]
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import platform
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

from data_prep.groups import ByName, group_records
from data_prep.labels import LabelKind, Labels, Stratification, labels_of
from data_prep.records import Box, ImageRecord
from data_prep.split import Fractions, Split, folds, split

NAMES = ("pig", "cow")
SETTINGS = Stratification(kinds=tuple(LabelKind), count_bins={"pig": (8, 13), "cow": (4, 6)})
ANSWERS = Path(__file__).parents[2] / "shared" / "data" / "aispark" / "answer.csv"
LEAST_IMAGES = 100
SIZES = (2_000, 16_000, 64_000)
# Consecutive numbers as frames of one video: the name without its last digits.
BLOCKS = {10: r"^(.*)\d$", 100: r"^(.*)\d\d$"}


class Herd:
    """Records with their labels and, where asked for, groups."""

    def __init__(self, records: Sequence[ImageRecord], pattern: str | None = None) -> None:
        self.records = sorted(records, key=lambda record: record.key)
        self.labels = {record.key: labels_of(record, NAMES, SETTINGS) for record in records}
        self.groups = group_records(self.records, [ByName(by="name", pattern=pattern)] if pattern else [])

    def matrix(self) -> np.ndarray:
        """Groups by labels, and an empty column that scikit-learn wants."""
        columns = {label: index for index, label in enumerate(sorted(set().union(*self.labels.values())))}
        matrix = np.zeros((max(self.groups) + 1, len(columns) + 1), dtype=np.bool_)
        for record, group in zip(self.records, self.groups, strict=True):
            matrix[group, [columns[label] for label in self.labels[record.key]]] = True
        return matrix

    def of_groups(self, groups: Collection[int]) -> set[str]:
        chosen = set(groups)
        return {record.key for record, group in zip(self.records, self.groups, strict=True) if group in chosen}


def main() -> None:
    arguments = parse()
    answers = read_answers(arguments.answers)
    alone = Herd(answers)
    result = {
        "benchmark": "stratification",
        "machine": platform.processor() or platform.machine(),
        "seeds": arguments.seeds,
        "valid": compare(alone, range(arguments.seeds)),
        "others": others(alone, range(arguments.seeds)),
        "valid_by_blocks": {
            size: compare(Herd(answers, pattern), range(arguments.seeds)) for size, pattern in BLOCKS.items()
        },
        **scaling(arguments.rounds),
    }
    print(json.dumps(result))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--answers", type=Path, default=ANSWERS)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def read_answers(path: Path) -> list[ImageRecord]:
    boxes: dict[str, list[Box]] = defaultdict(list)
    with path.open() as stream:
        for row in csv.DictReader(stream):
            x1, x2, y1, y2 = (float(row[column]) for column in ("XMin", "XMax", "YMin", "YMax"))
            box = Box(NAMES.index(row["LabelName"]), x1 * 1920, y1 * 1080, x2 * 1920, y2 * 1080)
            boxes[Path(row["ImageID"]).stem].append(box)
    return [ImageRecord(key, None, 1920, 1080, tuple(found)) for key, found in boxes.items()]


def by_split(herd: Herd, seed: int) -> set[str]:
    found = split(herd.records, Fractions(), seed, SETTINGS, NAMES, herd.groups)
    return {record.key for record in found[Split.VALID]}


def by_library(herd: Herd, seed: int) -> set[str]:
    matrix = herd.matrix()
    folds_of_five = MultilabelStratifiedKFold(n_splits=5, shuffle=True, random_state=seed)
    return herd.of_groups(next(folds_of_five.split(matrix, matrix))[1].tolist())


def by_chance(herd: Herd, seed: int) -> set[str]:
    order = np.random.RandomState(seed).permutation(max(herd.groups) + 1)
    return herd.of_groups(order[: round(len(order) / 5)].tolist())


WAYS: dict[str, Callable[[Herd, int], set[str]]] = {"ours": by_split, "library": by_library, "chance": by_chance}


def compare(herd: Herd, seeds: Sequence[int]) -> dict[str, dict[str, float]]:
    asked = round(len(herd.records) / 5)
    off, error, seconds = (defaultdict(list) for _ in range(3))
    for seed in seeds:
        for name, way in WAYS.items():
            start = time.perf_counter()
            found = way(herd, seed)
            seconds[name].append(time.perf_counter() - start)
            off[name].append(largest_deviation(herd.labels, found, herd.labels.keys(), 0.2))
            error[name].append(abs(len(found) - asked) / asked)
    return {
        name: {
            **summary(off[name]),
            "worst_size_error_percent": round(100 * max(error[name]), 2),
            "seconds": round(statistics.median(seconds[name]), 3),
        }
        for name in WAYS
    }


def others(herd: Herd, seeds: Sequence[int]) -> dict[str, dict[str, float]]:
    """Evenness of mini_train in train, of a test split beside valid, and of the worst of five folds."""
    off: dict[str, list[float]] = defaultdict(list)
    for seed in seeds:
        found = split(herd.records, Fractions(test=0.1), seed, SETTINGS, NAMES)
        keys = {name: {record.key for record in members} for name, members in found.items()}
        parts = folds(herd.records, 5, seed, SETTINGS, NAMES)
        every = herd.labels.keys()
        off["mini_train"].append(largest_deviation(herd.labels, keys[Split.MINI_TRAIN], keys[Split.TRAIN], 0.5))
        off["test_of_10_percent"].append(largest_deviation(herd.labels, keys[Split.TEST], every, 0.1))
        off["valid_beside_test"].append(largest_deviation(herd.labels, keys[Split.VALID], keys[Split.FULL], 0.2))
        off["worst_of_5_folds"].append(
            max(largest_deviation(herd.labels, {record.key for record in part}, every, 0.2) for part in parts)
        )
    return {name: summary(values) for name, values in off.items()}


def largest_deviation(labels: dict[str, Labels], part: Collection[str], whole: Collection[str], share: float) -> float:
    wholes = Counter(label for key in whole for label in labels[key])
    parts = Counter(label for key in part for label in labels[key])
    return max(100 * abs(parts[name] / count - share) for name, count in wholes.items() if count >= LEAST_IMAGES)


def summary(values: Sequence[float]) -> dict[str, float]:
    return {"median_points": round(statistics.median(values), 3), "worst_points": round(max(values), 3)}


def scaling(rounds: int) -> dict[str, object]:
    """Seconds of labels, `split` and all, single pictures and groups of 20, best of some rounds."""
    seconds: dict[str, list[float]] = {"single": [], "groups_of_20": []}
    for size in SIZES:
        herd = draw(size)
        for name, groups in (("single", None), ("groups_of_20", [number // 20 for number in range(size)])):
            taken = []
            for _ in range(rounds):
                start = time.perf_counter()
                split(herd, Fractions(), 0, SETTINGS, NAMES, groups)
                taken.append(time.perf_counter() - start)
            seconds[name].append(min(taken))
    return {
        "images": SIZES,
        "split_seconds": {name: [round(value, 3) for value in values] for name, values in seconds.items()},
        "exponent": {name: round(exponent(values), 2) for name, values in seconds.items()},
    }


def exponent(seconds: Sequence[float]) -> float:
    return math.log(seconds[-1] / seconds[0]) / math.log(SIZES[-1] / SIZES[0])


def draw(size: int) -> list[ImageRecord]:
    """Draw records with ten boxes on average, of one class in each."""
    rng = np.random.default_rng(0)
    records = []
    for number in range(size):
        class_id, scale = int(rng.integers(2)), 20 + 400 * rng.random()
        sides = (5 + scale * rng.random((int(rng.integers(21)), 2))).tolist()
        boxes = tuple(Box(class_id, 5, 5, 5 + width, 5 + height) for width, height in sides)
        records.append(ImageRecord(f"image_{number:06d}", None, 640, 480, boxes))
    return records


if __name__ == "__main__":
    main()
