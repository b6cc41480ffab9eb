"""The oracle: YOLOv5's own lines on plain arrays, written down independently of the sampler."""

from __future__ import annotations

import random

import numpy as np


def offspring(
    genes: np.ndarray,
    fitness: np.ndarray,
    meta: list[tuple[float, float, float]],
    parent: str,
    children: int,
    seed: int,
) -> np.ndarray:
    """Children (children, n) of genes (trials, n) with fitness (trials,); meta: n times (gain, low, high)."""
    py, npr = random.Random(seed), np.random.RandomState(seed)
    n = min(5, len(genes))
    order = np.argsort(-fitness)[:n]
    top, w = genes[order], fitness[order] - fitness[order].min() + 1e-6
    g = np.array([m[0] for m in meta])
    rows = []
    for _ in range(children):
        if parent == "single":
            x = top[py.choices(range(n), weights=list(w))[0]]
        else:
            x = (top * w.reshape(n, 1)).sum(0) / w.sum()
        v = np.ones(len(meta))
        while all(v == 1):
            v = (g * (npr.random_sample(len(meta)) < 0.8) * npr.randn(len(meta)) * npr.random_sample() * 0.2 + 1).clip(
                0.3, 3.0
            )
        rows.append(
            [round(min(max(float(a * b), low), high), 5) for a, b, (_, low, high) in zip(x, v, meta, strict=True)]
        )
    return np.array(rows)
