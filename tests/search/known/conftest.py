"""What the tests of known configs share: files of every kind that is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from trainable.hyp import Hyp

STOCK_KEYS = (
    "metrics/precision",
    "metrics/recall",
    "metrics/mAP_0.5",
    "metrics/mAP_0.5:0.95",
    "val/box_loss",
    "val/obj_loss",
    "val/cls_loss",
)


def stock_evolve(rows: Sequence[tuple[Sequence[float], Mapping[str, float]]], width: int = 20) -> str:
    """An ``evolve.csv`` by YOLOv5's own lines (``utils.general.print_mutation``), with another padding if asked for."""
    keys = (*STOCK_KEYS, *rows[0][1])
    n = len(keys)
    text = (f"%{width}s," * n % keys).rstrip(",") + "\n"
    for results, hyp in rows:
        text += (f"%{width}.5g," * n % (*results, *hyp.values())).rstrip(",") + "\n"
    return text


def genes(**changes: float) -> dict[str, float]:
    """What YOLOv5 evolves: all hyps, ``anchors`` last."""
    return {**Hyp().as_dict(), "anchors": 3.0, **changes}


def results(map50: float, map50_95: float) -> tuple[float, ...]:
    return (0.8, 0.7, map50, map50_95, 0.05, 0.02, 0.01)


def write_stock(path: Path, *points: tuple[float, Mapping[str, float]], width: int = 20) -> Path:
    """An ``evolve.csv`` whose rows reach the given fitness with the given changes of the default hyp."""
    rows = [(results(fitness, fitness), genes(**changes)) for fitness, changes in points]
    path.write_text(stock_evolve(rows, width), encoding="utf-8")
    return path
