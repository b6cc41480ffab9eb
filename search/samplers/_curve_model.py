"""A Gaussian process over configurations and epochs: what a value at an early rung says of the last one.

    value(x, t) = level_t + size_t * (f(x, t) + noise)
    cov(f(x, t), f(x', t')) = signal * Matern52(x, x'; a length per parameter) * exp(-|log t - log t'| / memory)

All trials at all rungs are in one model, so the many short ones teach what matters and the few long ones what lasts.
How much an early rung counts is ``memory``, which is fitted like the rest. Priors on the logarithms of all of them keep
a handful of trials from fitting nonsense; their medians are where the fit begins, so it depends on the data alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

_JITTER = 1e-6
_WORST = -4.0
"""A standardized value counts as no worse than this: how bad the bad ones are does not matter."""


@dataclass(frozen=True)
class Observations:
    """Values of trials at rungs, larger is better."""

    features: np.ndarray
    """A row per value."""
    groups: np.ndarray
    """Parameter that each column of the features belongs to."""
    times: np.ndarray
    """Epoch of each value, from 1 up."""
    values: np.ndarray


class CurveModel:
    """The process, fitted to observations.

    Args:
        data: At least one observation.
        iterations: Steps of the optimizer of the likelihood.
    """

    def __init__(self, data: Observations, iterations: int) -> None:
        self._data, self._logs = data, np.log(data.times)
        self._targets = _standardized(data.times, data.values)
        self._n = int(data.groups.max()) + 1
        self._pair_up()
        self._medians, self._spreads = _priors(self._n)
        found = minimize(
            self._loss, self._medians, jac=True, method="L-BFGS-B", options={"maxiter": iterations},
            bounds=list(zip(self._medians - 3 * self._spreads, self._medians + 3 * self._spreads, strict=True)),
        )  # fmt: skip
        self._theta = found.x
        self._condition()

    def predict(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and deviation of f at the last epoch that was seen."""
        covariance = self._cross(features)
        spread = solve_triangular(self._root, covariance.T, lower=True)
        variance = math.exp(self._theta[self._n]) - (spread**2).sum(0)
        return covariance @ self._alpha, np.sqrt(np.maximum(variance, 1e-10))

    def mean(self, features: np.ndarray) -> np.ndarray:
        """Return the mean alone."""
        return np.asarray(self._cross(features) @ self._alpha)

    def believe(self, features: np.ndarray) -> None:
        """Take configurations that are in training as if they would end as predicted; nothing is fitted again.

        Without noise: a second training of the same configuration would teach something, but not now.
        """
        data = self._data
        last = np.full(len(features), data.times.max())
        self._targets = np.append(self._targets, self.mean(features))
        self._data = Observations(
            np.vstack([data.features, features]), data.groups, np.append(data.times, last), data.values
        )
        self._logs = np.log(self._data.times)
        self._pair_up()
        self._condition()

    def _pair_up(self) -> None:
        """Note what lies between any two values, each pair once: what the fit spends its time on is symmetric."""
        self._rows, self._columns = np.tril_indices(len(self._logs))
        self._squares = np.zeros((self._n, len(self._rows)))
        for feature, group in zip(self._data.features.T, self._data.groups, strict=True):
            self._squares[group] += (feature[self._rows] - feature[self._columns]) ** 2
        self._gaps = np.abs(self._logs[self._rows] - self._logs[self._columns])

    def _factor(self, covariance: np.ndarray, noise: float | np.ndarray) -> np.ndarray:
        """Cholesky factor of the matrix with these pairs and so much more on its diagonal."""
        n = len(self._targets)
        matrix = np.zeros((n, n))
        matrix[self._rows, self._columns] = covariance
        matrix[np.diag_indices(n)] += noise
        return np.asarray(cholesky(matrix, lower=True))

    def _condition(self) -> None:
        covariance, *_ = _covariance(self._theta, self._squares, self._gaps)
        noises = np.full(len(self._targets), 10 * _JITTER)  # of what is believed
        noises[: len(self._data.values)] = math.exp(self._theta[self._n + 1]) + _JITTER
        self._root = self._factor(covariance, noises)
        self._alpha = cho_solve((self._root, True), self._targets)

    def _cross(self, features: np.ndarray) -> np.ndarray:
        """Covariance between f of configurations at the last epoch and what was observed."""
        scale = np.exp(-self._theta[: self._n])[self._data.groups]
        here, there = features * scale, self._data.features * scale
        squared = (here**2).sum(1)[:, None] + (there**2).sum(1)[None, :] - 2.0 * here @ there.T
        root = np.sqrt(5.0 * np.maximum(squared, 0.0))
        memory = np.exp(-(self._logs.max() - self._logs) * math.exp(-self._theta[self._n + 2]))
        shape = (1.0 + root + root**2 / 3.0) * np.exp(-root)
        return np.asarray(math.exp(self._theta[self._n]) * shape * memory[None, :])

    def _loss(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log posterior of the logarithms of the parameters, and its gradient."""
        n, noise = self._n, math.exp(theta[self._n + 1])
        covariance, inverse, slope = _covariance(theta, self._squares, self._gaps)
        root = self._factor(covariance, noise + _JITTER)
        alpha = cho_solve((root, True), self._targets)
        precision = dpotri(root, lower=True)[0]
        pull = alpha[self._rows] * alpha[self._columns] - precision[self._rows, self._columns]
        pull = np.where(self._rows == self._columns, pull, 2.0 * pull)  # a pair stands for two places of the matrix
        away = (theta - self._medians) / self._spreads
        loss = 0.5 * self._targets @ alpha + np.log(np.diag(root)).sum() + 0.5 * (away**2).sum()
        gradient = away / self._spreads
        gradient[:n] -= 0.5 * (self._squares @ (slope * pull)) * inverse
        gradient[n] -= 0.5 * (pull @ covariance)
        gradient[n + 1] -= 0.5 * (alpha @ alpha - np.trace(precision)) * noise
        gradient[n + 2] -= 0.5 * (pull @ (covariance * self._gaps)) * math.exp(-theta[n + 2])
        return float(loss), gradient


def _covariance(theta: np.ndarray, squares: np.ndarray, gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the covariance of each pair, the inverse squared lengths, and the covariance's slope by their products."""
    n = len(squares)
    inverse = np.exp(-2.0 * theta[:n])
    root = np.sqrt(5.0 * np.maximum(inverse @ squares, 0.0))
    scale = np.exp(theta[n] - root - gaps * math.exp(-theta[n + 2]))
    return scale * (1.0 + root + root**2 / 3.0), inverse, scale * (5.0 / 3.0) * (1.0 + root)


def _priors(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Medians and spreads of the logarithms: lengths, signal, noise, memory.

    Lengths grow with the root of the number of parameters, as distances in a cube do (Hvarfner et al. 2024).
    """
    lengths = np.full(n, math.log(0.25 * math.sqrt(n)))
    medians = np.append(lengths, [0.0, math.log(0.15), math.log(1.5)])
    return medians, np.append(np.full(n, 0.8), [1.0, 0.8, 0.7])


def _standardized(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values about 0 with a spread of 1 at each epoch.

    Those that reached a late rung are alike because they were chosen: its spread is taken as no less than that of the
    rung before.
    """
    targets, size = np.empty_like(values), 0.0
    for time in np.unique(times):
        here = times == time
        size = max(size, float(values[here].std()))
        targets[here] = (values[here] - np.median(values[here])) / (size or 1.0)
    bounded: np.ndarray = np.maximum(targets, _WORST)
    return bounded
