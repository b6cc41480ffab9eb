"""Comparisons on disk, of a sweep that trains nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from search.compare.config import ComparisonConfig, load_comparison
from tests.search.conftest import SweepFiles

EPOCHS = 3
ARMS = {"poor": {"momentum": 0.3}, "good": {"momentum": 0.8}}
"""The quadratic's best momentum is 0.8: the good one is better by 0.25."""


def write(files: SweepFiles, **changes: Any) -> Path:
    """A comparison's YAML beside its sweep's."""
    files.write(train={"epochs": EPOCHS, "model": "yolov5n", "seed": 40}, trials=4)
    for split in ("train", "val"):
        (files.folder / split).mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(files.folder / split / "a.jpg")
    path = files.folder / "comparison.yaml"
    path.write_text(yaml.safe_dump({"name": "pair", "sweep": "sweep.yaml", "arms": ARMS, **changes}, sort_keys=False))
    return path


def comparison(files: SweepFiles, **changes: Any) -> ComparisonConfig:
    return load_comparison(write(files, **changes))
