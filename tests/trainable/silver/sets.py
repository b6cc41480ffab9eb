"""Small data sets and weights for tests of silver labels."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml

from data_prep.silver.rule import SilverRule
from tests.trainable.pictures import COCO_NAMES
from trainable.silver.run import SilverOptions
from trainable.weights import build_model, save_stripped

SIZE = 64
RULE = SilverRule(confidence=0.002, min_boxes=2)
OPTIONS = SilverOptions(rule=RULE, floor=0.0005, image_size=SIZE, device="cpu")
"""An untrained network is sure of nothing."""


def untrained(folder: Path, classes: int = 2) -> Path:
    """Weights of a network that has learnt nothing, the same each time; they lie in ``folder``."""
    torch.manual_seed(3)
    model = build_model("yolov5n", classes)
    model.names = dict(enumerate(["disc", "square"] if classes == 2 else COCO_NAMES))
    save_stripped(model, folder / "weights.pt")
    return folder / "weights.pt"


def herd(livestock: Path, folder: Path, train: int = 90, val: int = 40) -> Path:
    """Every ``train``-th and ``val``-th picture of livestock_a in COCO's classes: a cow is 19, a pig a sheep (18)."""
    for split, step in (("train", train), ("val", val)):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for image in sorted((livestock.parent / "images" / split).iterdir())[::step]:
            shutil.copy(image, folder / "images" / split)
            label = livestock.parent / "labels" / split / f"{image.stem}.txt"
            rows = [line.split() for line in label.read_text().splitlines()] if label.is_file() else []
            text = "".join(f"{(19, 18)[int(kind)]} {' '.join(box)}\n" for kind, *box in rows)
            (folder / "labels" / split / label.name).write_text(text)
    return write_data(folder, {"train": "images/train", "val": "images/val"}, COCO_NAMES)


def write_data(folder: Path, splits: Mapping[str, Any], names: list[str]) -> Path:
    """A data.yaml in ``folder``; its path."""
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump({"path": str(folder), **splits, "nc": len(names), "names": names}))
    return path


def noise(path: Path, seed: int, size: tuple[int, int] = (120, 90)) -> Path:
    """A picture that looks like no other."""
    generator = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = generator.integers(0, 255, (9, 12, 3)).astype(np.uint8)
    cv2.imwrite(str(path), cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC))
    return path
