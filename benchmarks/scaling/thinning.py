"""What TPE loses where it sees its best trials and a sample of the others, against all of them.

On a surrogate of real trainings (``benchmarks/curves/livestock_a.csv``: a Gaussian process over the final fitness of
ten hyps, with the measured noise of a repeated training), in two settings:

- *from scratch*: 600 trials;
- *late*: 100 more trials after 5,000 at random, of which full TPE models every one.

The regret is that of the best trial by its true value, against the best that a local search finds.
"""

from __future__ import annotations

import csv
import functools
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, TPESampler

from search.samplers import TrialSeededSampler
from search.samplers._bounded import BoundedView, lot
from search.samplers.views import SharedView, ViewSampler
from search.space import load_space

CURVES = Path(__file__).resolve().parents[1] / "curves" / "livestock_a.csv"
SPACE = Path(__file__).resolve().parents[2] / "configs" / "spaces" / "yolov5.yaml"
NOISE = 0.015
BOUND = 300


class Surrogate:
    """A Gaussian process over the recorded final values, in the space's own scale."""

    def __init__(self) -> None:
        rows = [row for row in csv.DictReader(CURVES.open()) if not row["failure"] and row["config"] != "default"]
        space = load_space(SPACE).distributions()
        names = [name for name in rows[0] if name in space]
        self.distributions: dict[str, FloatDistribution] = {n: space[n] for n in names}  # type: ignore[misc]
        points = np.array([self._unit({n: float(row[n]) for n in names}) for row in rows])
        values = np.array([float(row["fitness_20"]) for row in rows])
        self._points, self._mean = points, float(values.mean())
        self._scale = 0.6 * math.sqrt(len(names))
        kernel = self._kernel(points, points) * values.var() + NOISE**2 * np.eye(len(rows))
        self._weights = values.var() * np.linalg.solve(kernel, values - self._mean)
        self.best = self._climb()

    def worth(self, params: dict[str, float]) -> float:
        """The true value of a config."""
        return float(self._at(self._unit(params)[None])[0])

    def _at(self, points: np.ndarray) -> np.ndarray:
        values: np.ndarray = self._mean + self._kernel(points, self._points) @ self._weights
        return values

    def _kernel(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        squares = ((first[:, None] - second[None]) ** 2).sum(-1)
        kernel: np.ndarray = np.exp(-squares / (2 * self._scale**2))
        return kernel

    def _unit(self, params: dict[str, float]) -> np.ndarray:
        return np.array([_unit(params[name], d) for name, d in self.distributions.items()])

    def _climb(self) -> float:
        rng = np.random.default_rng(0)
        points = rng.random((20_000, len(self.distributions)))
        top = points[np.argsort(self._at(points))[-20:]]
        for step in np.geomspace(0.2, 0.002, 60):
            tried = (top[:, None] + rng.normal(0, step, (20, 50, top.shape[1]))).clip(0, 1)
            tried = np.concatenate([top[:, None], tried], axis=1)
            values = np.stack([self._at(points) for points in tried])
            top = tried[np.arange(20), values.argmax(1)]
        return float(self._at(top).max())


def _unit(value: float, distribution: FloatDistribution) -> float:
    low, high = distribution.low, distribution.high
    if distribution.log:
        low, high, value = math.log(low), math.log(high), math.log(max(value, low))
    return (value - low) / (high - low)


def _make(view: SharedView | None, seed: int) -> BaseSampler:
    sampler = TPESampler(seed=seed, multivariate=True, constant_liar=True)
    return sampler if view is None else ViewSampler(sampler, view)


def _view(study: optuna.Study, order: Callable[[int], int]) -> BoundedView:
    return BoundedView(study, BOUND, order=order)


def _newest_first(number: int) -> int:
    return -number


SIDES: dict[str, Callable[[int], int] | None] = {"full": None, "sample": lot, "newest": _newest_first}


def compare(seeds: int) -> dict[str, Any]:
    """Median regret of each side and how it fares against full TPE, seed by seed."""
    surrogate = Surrogate()
    found: dict[str, Any] = {"bound": BOUND, "best": round(surrogate.best, 4), "seeds": seeds}
    for setting, past, trials in (("from_scratch", 0, 600), ("late", 5000, 100)):
        regrets: dict[str, list[float]] = {name: [] for name in SIDES}
        seconds: dict[str, list[float]] = {name: [] for name in SIDES}
        for seed in range(seeds):
            for name, order in SIDES.items():
                regret, took = _run(surrogate, order, past, trials, seed)
                regrets[name].append(regret)
                seconds[name].append(took)
            if seed % 5 == 4:
                print(setting, seed + 1, {n: round(statistics.median(r), 4) for n, r in regrets.items()}, flush=True)
        found[setting] = {name: _summary(regrets[name], regrets["full"], seconds[name]) for name in SIDES}
    return found


def _run(
    surrogate: Surrogate, order: Callable[[int], int] | None, past: int, trials: int, seed: int
) -> tuple[float, float]:
    view = None if order is None else SharedView(functools.partial(_view, order=order))
    sampler = TrialSeededSampler(functools.partial(_make, view), seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    rng = np.random.default_rng([seed, 1])
    ends: list[float] = []
    for _ in range(past):
        params = {name: _random(d, rng) for name, d in surrogate.distributions.items()}
        study.add_trial(
            optuna.trial.create_trial(
                params=params,
                distributions=dict(surrogate.distributions),
                value=surrogate.worth(params) + rng.normal(0, NOISE),
            )
        )
    began = time.process_time()
    for _ in range(trials):
        trial = study.ask(dict(surrogate.distributions))
        worth = surrogate.worth(trial.params)
        ends.append(worth)
        study.tell(trial, worth + rng.normal(0, NOISE))
    return surrogate.best - max(ends), time.process_time() - began


def _random(distribution: FloatDistribution, rng: np.random.Generator) -> float:
    if distribution.log:
        return float(math.exp(rng.uniform(math.log(distribution.low), math.log(distribution.high))))
    return float(rng.uniform(distribution.low, distribution.high))


def _summary(regrets: list[float], full: list[float], seconds: list[float]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    differences = np.array(regrets) - np.array(full)
    medians = [float(np.median(rng.choice(differences, len(differences)))) for _ in range(2000)]
    return {
        "median_regret": round(statistics.median(regrets), 4),
        "quartiles": [round(float(q), 4) for q in np.quantile(regrets, [0.25, 0.75])],
        "against_full": [round(float(q), 4) for q in np.quantile(medians, [0.025, 0.5, 0.975])],
        "better_than_full": int((differences < 0).sum()),
        "cpu_s": round(statistics.median(seconds), 1),
    }
