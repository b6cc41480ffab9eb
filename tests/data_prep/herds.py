"""Records with boxes of every size and shape and no pictures, the same on every machine."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from data_prep.labels import LabelKind, Stratification
from data_prep.records import THUMBNAIL_SIDE, Box, ImageRecord, Source

NAMES = ("pig", "cow")
BINS = {"pig": (8, 13), "cow": (4, 6)}
BY_COUNT = Stratification(count_bins=BINS)
BY_ALL = Stratification(kinds=tuple(LabelKind), count_bins=BINS)
ANSWER_CSV = Path(__file__).resolve().parents[3] / "shared" / "data" / "aispark" / "answer.csv"


def record(key: str, pigs: int = 0, cows: int = 0, source_split: str | None = None) -> ImageRecord:
    boxes = (Box(0, 0, 0, 9, 9),) * pigs + (Box(1, 0, 0, 9, 9),) * cows
    return ImageRecord(key, Source(Path(f"{key}.jpg")), 100, 100, boxes, source_split)


def scene(seed: int, noise: int = 0) -> bytes:
    """A smooth random picture; with ``noise`` another frame of it."""
    coarse = np.random.default_rng(seed).integers(0, 200, (4, 4))
    picture = np.kron(coarse, np.ones((THUMBNAIL_SIDE // 4, THUMBNAIL_SIDE // 4), dtype=np.int64))
    shaken = picture + np.random.default_rng((seed, noise)).integers(0, 4, picture.shape) * bool(noise)
    return shaken.astype(np.uint8).tobytes()


def random_herd(count: int, seed: int) -> list[ImageRecord]:
    """Draw pictures of one class each, some empty; ``random()`` alone has a stream that Python promises to keep."""
    rng = random.Random(seed)
    herd = []
    for number in range(count):
        class_id, scale = int(rng.random() < 0.7), 20 + 400 * rng.random()
        boxes = tuple(
            Box(class_id, 5, 5, 5 + scale * rng.random(), 5 + scale * rng.random())
            for _ in range(int(18 * rng.random() ** 2))
        )
        herd.append(ImageRecord(f"barn_{number // 10:03d}_{number:05d}", None, 640, 480, boxes))
    return herd


def answer_herd() -> list[ImageRecord]:
    """The real boxes of the competition's test set, on pictures of 1920 x 1080."""
    if not ANSWER_CSV.is_file():
        pytest.skip(f"{ANSWER_CSV} is not on this machine: real box statistics need shared/data beside the repository")
    boxes: dict[str, list[Box]] = defaultdict(list)
    with ANSWER_CSV.open() as stream:
        for row in csv.DictReader(stream):
            x1, x2, y1, y2 = (float(row[column]) for column in ("XMin", "XMax", "YMin", "YMax"))
            box = Box(NAMES.index(row["LabelName"]), x1 * 1920, y1 * 1080, x2 * 1920, y2 * 1080)
            boxes[Path(row["ImageID"]).stem].append(box)
    return [ImageRecord(key, None, 1920, 1080, tuple(found)) for key, found in boxes.items()]
