"""What a scheduler's decision costs in a sweep of 10,000 trials: microseconds per result, promotion included.

Made-up learning curves, one slot, the decisions alone. ``pasha_stable`` has curves that never cross, so that its top
rung, whose ranking it watches, grows to a third of all trials. Prints one JSON line last.

Usage: python benchmarks/decisions.py [--trials N] [--epochs N]
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable

import numpy as np

from search.schedulers.median import MedianRule
from search.schedulers.pasha import ProgressiveRungs
from search.schedulers.rungs import Decision, Past, Rungs, rung_levels


def curves(trials: int, noise: float) -> Callable[[int, int], float]:
    draw = random.Random(0)
    quality = [draw.random() for _ in range(trials)]
    return lambda number, epoch: quality[number] * (1 - 0.5**epoch) + draw.gauss(0, noise)


def pausing(rungs: Rungs, trials: int, epochs: int, noise: float) -> list[float]:
    """Seconds of each result in a sweep on one slot."""
    seconds, value, drawn = [], curves(trials, noise), 0
    while (number := rungs.promotable()) is not None or drawn < trials:
        epoch = 0 if number is None else rungs.promote(number)
        if number is None:
            number, drawn = drawn, drawn + 1
        decision = Decision.GO_ON
        while decision is Decision.GO_ON and epoch < epochs:
            epoch += 1
            reported = value(number, epoch)
            start = time.perf_counter()
            decision = rungs.record(number, epoch, reported)
            rungs.promotable()
            seconds.append(time.perf_counter() - start)
    return seconds


def stopping(rule: MedianRule, trials: int, epochs: int) -> list[float]:
    seconds, value = [], curves(trials, 0.05)
    for number in range(trials):
        for epoch in range(1, epochs + 1):
            reported = value(number, epoch)
            start = time.perf_counter()
            decision = rule.record(number, epoch, reported)
            seconds.append(time.perf_counter() - start)
            if decision is Decision.STOP:
                break
    return seconds


def loading(trials: int, levels: tuple[int, ...]) -> float:
    history = [Past(number, {1: number / trials}, 1) for number in range(trials)]
    start = time.perf_counter()
    Rungs(levels, 3).load(history)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=27)
    options = parser.parse_args()
    trials, epochs, levels = options.trials, options.epochs, rung_levels(options.epochs, 1, 3)
    measured = {
        "asha": pausing(Rungs(levels, 3), trials, epochs, 0.05),
        "pasha": pausing(ProgressiveRungs(levels, 3), trials, epochs, 0.05),
        "pasha_stable": pausing(ProgressiveRungs(levels, 3), trials, epochs, 0.0),
        "median": stopping(MedianRule(3, 3), trials, epochs),
    }
    table = {}
    for name, seconds in measured.items():
        mean, high = np.mean(seconds) * 1e6, np.percentile(seconds, 99) * 1e6
        print(f"{name}: {len(seconds)} results, {mean:.0f} us each, 99 % within {high:.0f} us")
        table[name] = {"results": len(seconds), "mean_us": round(float(mean), 1), "p99_us": round(float(high), 1)}
    print(json.dumps({"trials": trials, "load_s": round(loading(trials, levels), 3), **table}))


if __name__ == "__main__":
    main()
