"""Which configuration a model of the values would try next: expected improvement and a search for its best point."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erfcx, log_ndtr

from search.samplers._curve_model import CurveModel
from search.samplers._encoding import Encoding

_ANYWHERE, _NEAR, _PARENTS = 400, 400, 5
_ROUNDS, _KEPT, _CHILDREN = 6, 12, 12
_MOVES = 0.4
"""Probability that a coordinate changes in a step."""


def best_point(model: CurveModel, encoding: Encoding, known: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the point of the cube with the best expected improvement.

    Candidates are drawn over the whole cube and around the best known points; the best of them are moved by steps that
    shrink. What is to be improved on is the best mean at a known point, not the best value: that one was lucky.

    Args:
        model: Predicts values.
        encoding: The cube.
        known: Points of the observed configurations.
        rng: Stream of the trial.
    """
    means = model.mean(encoding.features(known))
    goal = float(means.max())
    parents = known[np.argsort(-means)[:_PARENTS]]
    around = parents[rng.integers(len(parents), size=_NEAR)]
    sizes = rng.choice([0.03, 0.1, 0.3], size=(_NEAR, 1))
    points = np.vstack([rng.random((_ANYWHERE, known.shape[1])), moved(around, sizes, encoding, rng)])
    points = encoding.snap(points)
    scores = log_improvement(*model.predict(encoding.features(points)), goal)
    for step in range(_ROUNDS):
        top = points[np.argsort(-scores)[:_KEPT]]
        children = moved(np.repeat(top, _CHILDREN, axis=0), 0.2 * 0.6**step, encoding, rng)
        points = np.vstack([top, encoding.snap(children)])
        scores = log_improvement(*model.predict(encoding.features(points)), goal)
    return np.asarray(points[np.argmax(scores)])


def moved(points: np.ndarray, size: float | np.ndarray, encoding: Encoding, rng: np.random.Generator) -> np.ndarray:
    """Return points with some coordinates changed: numbers by a normal step, choices (half as often) to any."""
    changes = rng.random(points.shape) < _MOVES
    steps = changes * rng.standard_normal(points.shape) * size
    lots, places = rng.random(points.shape) < 0.5, rng.random(points.shape)
    choices = np.where(changes & lots, places, points)
    return np.where(encoding.is_choice, choices, points + steps)


def log_improvement(mean: np.ndarray, deviation: np.ndarray, goal: float) -> np.ndarray:
    """Return the logarithm of the expected improvement on ``goal``, exact also far below it.

    Source: Ament et al., "Unexpected Improvements to Expected Improvement" (2023), eq. 9.
    """
    z = (mean - goal) / deviation
    result = np.empty_like(z)
    near = z > -1.0
    density = np.exp(-0.5 * z[near] ** 2) / math.sqrt(2.0 * math.pi)
    result[near] = np.log(density + z[near] * np.exp(log_ndtr(z[near])))
    far = z[~near]
    tail = 1.0 + far * math.sqrt(math.pi / 2.0) * erfcx(-far / math.sqrt(2.0))
    result[~near] = -0.5 * far**2 - 0.5 * math.log(2.0 * math.pi) + np.log(np.maximum(tail, 1e-300))
    return np.asarray(result + np.log(deviation))
