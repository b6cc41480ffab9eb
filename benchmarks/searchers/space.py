"""The space of the recorded curves: ten hyps in YOLOv5's bounds, its gains, a good start and a poor one."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution

CURVES = Path(__file__).parents[1] / "curves" / "livestock_a.csv"
EPOCHS = 20
BOUNDS: dict[str, tuple[float, float, bool]] = {  # as in benchmarks/record_curves.py
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
NAMES = tuple(BOUNDS)
GAINS = {name: 0.3 if name == "momentum" else 1.0 for name in NAMES}
"""YOLOv5's own mutation gains."""
DEFAULT = {
    "lr0": 0.01, "lrf": 0.01, "momentum": 0.937, "weight_decay": 0.0005, "warmup_epochs": 3.0,
    "box": 0.05, "cls": 0.5, "obj": 1.0, "scale": 0.5, "mosaic": 1.0,
}  # fmt: skip
"""YOLOv5's ``hyp.scratch-low``."""
POOR = {**DEFAULT, "lr0": 0.001, "momentum": 0.8, "box": 0.1, "cls": 2.0, "obj": 0.5, "weight_decay": 0.002}
"""A hyp as it comes from another optimizer and another project; about two thirds of the space are better."""
STARTS = {"default": DEFAULT, "poor": POOR}


def distributions() -> dict[str, BaseDistribution]:
    return {name: FloatDistribution(low, high, log=log) for name, (low, high, log) in BOUNDS.items()}


def unit(params: Mapping[str, float]) -> np.ndarray:
    """A configuration as a point of the unit cube, logarithms where the space has them."""
    point = []
    for name, (low, high, log) in BOUNDS.items():
        value = min(max(float(params[name]), low), high)
        point.append(np.log(value / low) / np.log(high / low) if log else (value - low) / (high - low))
    return np.array(point)


def params(point: np.ndarray) -> dict[str, float]:
    """The configuration at a point of the unit cube."""
    found = {}
    for u, (name, (low, high, log)) in zip(np.clip(point, 0, 1), BOUNDS.items(), strict=True):
        value = low * (high / low) ** u if log else low + u * (high - low)
        found[name] = float(min(max(value, low), high))
    return found


def recorded(metric: str = "fitness") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The design (points and curves of finished trainings) and the curves of the default hyp, one per seed."""
    points, curves, defaults = [], [], []
    with CURVES.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["failure"]:
                continue
            curve = [float(row[f"{metric}_{epoch:02d}"]) for epoch in range(1, EPOCHS + 1)]
            if row["config"] == "default":
                defaults.append(curve)
            else:
                points.append(unit({name: float(row[name]) for name in NAMES}))
                curves.append(curve)
    return np.array(points), np.array(curves), np.array(defaults)
