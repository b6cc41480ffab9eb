"""How far the surrogate can be trusted: held-out ranks and errors of the final fitness, ten folds.

Prints, for the posterior mean and for draws from the posterior (what the searchers are run on; a draw carries the
doubt of the fit, so its ranks are worse than the mean's), the rank correlation over all held-out trainings and within
the best quarter of them, and the error. The truth here is a single training: its own noise bounds what can be reached.
Last comes one JSON line.

Usage: python -m benchmarks.searchers.validate [--folds 10] [--draws 10]
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from scipy.stats import spearmanr

from benchmarks.searchers.space import recorded
from benchmarks.searchers.surrogate import Fit, Surrogate, to_fitness, to_scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--draws", type=int, default=10)
    arguments = parser.parse_args()
    points, curves, defaults = recorded()
    predicted = {number: np.zeros_like(curves) for number in (None, *range(arguments.draws))}
    for fold in np.array_split(np.random.default_rng(0).permutation(len(points)), arguments.folds):
        kept = np.setdiff1d(np.arange(len(points)), fold)
        fit = Fit.of(points[kept], curves[kept], defaults)
        for number, table in predicted.items():
            table[fold] = to_fitness(Surrogate(number, fit).z(points[fold]))
    mean = scores(predicted.pop(None), curves)
    draws = [scores(table, curves) for table in predicted.values()]
    noise = to_scale(defaults).std(0, ddof=1)
    report = {
        "benchmark": "searchers.validate",
        "trainings": len(points),
        "seeds_of_default": len(defaults),
        "mean": mean,
        "draw": {name: round(float(np.median([draw[name] for draw in draws])), 3) for name in mean},
        "seed_noise": {f"epoch_{epoch}": round(float(noise[epoch - 1]), 4) for epoch in (1, 5, 10, 15, 20)},
    }
    print(json.dumps(report))


def scores(predicted: np.ndarray, curves: np.ndarray) -> dict[str, float]:
    final, truth = predicted[:, -1], curves[:, -1]
    best = np.argsort(-truth)[: len(truth) // 4]
    found = {
        "rank_correlation": spearmanr(final, truth).statistic,
        "rank_correlation_best_quarter": spearmanr(final[best], truth[best]).statistic,
        "rmse": np.sqrt(np.mean((final - truth) ** 2)),
        "rank_correlation_epoch_5": spearmanr(predicted[:, 4], curves[:, 4]).statistic,
    }
    return {name: round(float(value), 4) for name, value in found.items()}


if __name__ == "__main__":
    main()
