"""Learning curves between the recorded ones: Gaussian processes over the hyps, and the measured seed noise.

Curves are modelled on a scale ``z`` on which noise has one size: ``fitness = C * softplus(z / C)``. The recorded curves
say so: the roughness from epoch to epoch is proportional to the level below about 0.03 and constant (0.012) above.
On that scale the curves of the design are cut down to their first principal components, and each component is a
Gaussian process (Matern 5/2, one length scale per hyp) over the unit cube, with the effective step ``lr0 / (1 -
momentum)`` in place of ``lr0``: of the regressors tried, the one with the best held-out ranks within the best quarter.

One surrogate is one sample: number ``k`` is conditioned on its own random 85 % of the recorded trainings and is a draw
from the posterior (Matheron's rule on random Fourier features), not its mean, so that surrogates differ where nothing
was recorded, and are as rugged between the points as the recorded curves say. Noise is replayed: a random mixture of
the eight residual curves of the default hyp, which keeps their covariance from epoch to epoch.

What is known of divergence is one recorded training: an effective step above 1.5 with a warm-up below 3 epochs ends
with NaN at epoch 6.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from benchmarks.searchers.space import BOUNDS, DEFAULT, NAMES, params, recorded, unit

C = 0.03
COMPONENTS = 4
SHARE, FEATURES = 0.85, 512
DIVERGENCE_EPOCH = 6
_FIRST, _FIRST_MOMENTUM = NAMES.index("lr0"), NAMES.index("momentum")
_WARMUP = NAMES.index("warmup_epochs")


def to_scale(fitness: np.ndarray) -> np.ndarray:
    return C * np.log(np.expm1(np.maximum(fitness, 1e-6) / C))


def to_fitness(z: np.ndarray) -> np.ndarray:
    return C * np.logaddexp(0.0, z / C)


def effective_step(points: np.ndarray) -> np.ndarray:
    low, high, _ = BOUNDS["lr0"]
    first, last, _ = BOUNDS["momentum"]
    momentum = first + (last - first) * points[:, _FIRST_MOMENTUM]
    return low * (high / low) ** points[:, _FIRST] / (1.0 - momentum)


def features(points: np.ndarray) -> np.ndarray:
    """Points with the effective step, in logarithm and about from 0 to 1, in place of lr0."""
    low, high = np.log(1e-4 / 0.4), np.log(0.1 / 0.02)
    changed = points.copy()
    changed[:, _FIRST] = (np.log(effective_step(points)) - low) / (high - low)
    return changed


@dataclass(frozen=True)
class Kernel:
    """Matern 5/2 with a length scale per feature; variances in units of the component's own."""

    scales: np.ndarray
    signal: float
    noise: float

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        distance = np.sqrt(5.0) * np.linalg.norm((a[:, None] - b[None]) / self.scales, axis=-1)
        return self.signal * (1.0 + distance + distance**2 / 3.0) * np.exp(-distance)


@dataclass(frozen=True)
class Basis:
    """Mean curve and principal components of curves on the scale of ``z``."""

    mean: np.ndarray
    components: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, z: np.ndarray) -> Basis:
        mean = z.mean(0)
        components = np.linalg.svd(z - mean, full_matrices=False)[2][:COMPONENTS]
        return cls(mean, components, ((z - mean) @ components.T).std(0))

    def weights(self, z: np.ndarray) -> np.ndarray:
        return (z - self.mean) @ self.components.T / self.sizes

    def curves(self, weights: np.ndarray) -> np.ndarray:
        return self.mean + (weights * self.sizes) @ self.components


def fit_kernels(points: np.ndarray, weights: np.ndarray, noises: np.ndarray) -> list[Kernel]:
    """Kernels by maximum likelihood, one per component (scikit-learn's optimizer), with the noise as it was measured.

    Left free, the noise of the smaller components is taken for structure, and the draws become rugged by chance.
    """
    found = []
    for column, noise in zip(weights.T, noises, strict=True):
        shape = Matern(np.ones(points.shape[1]), (0.1, 20.0), nu=2.5)
        kernel = ConstantKernel(1.0, (0.05, 50.0)) * shape
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a length scale at its bound means that a hyp does not matter
            kernel = GaussianProcessRegressor(kernel, alpha=noise).fit(points, column).kernel_
        found.append(Kernel(kernel.k2.length_scale, kernel.k1.constant_value, noise))
    return found


@dataclass(frozen=True)
class Fit:
    """What all surrogates share."""

    x: np.ndarray
    weights: np.ndarray
    basis: Basis
    kernels: tuple[Kernel, ...]
    residuals: np.ndarray
    """A row times a standard normal number, summed over rows, is the noise of a training on the scale of ``z``."""

    @classmethod
    def of(cls, points: np.ndarray, curves: np.ndarray, defaults: np.ndarray) -> Fit:
        """Fit to trainings of a design and to repeated ones of the default hyp."""
        z, repeats = to_scale(curves), to_scale(defaults)
        residuals = (repeats - repeats.mean(0)) / np.sqrt(len(repeats) - 1)
        basis = Basis.of(z)
        noises = ((residuals @ basis.components.T / basis.sizes) ** 2).sum(0)
        x = features(np.vstack([points, np.tile(unit(DEFAULT), (len(defaults), 1))]))
        weights = basis.weights(np.vstack([z, repeats]))
        return cls(x, weights, basis, tuple(fit_kernels(x, weights, noises)), residuals)


@functools.cache
def fitted() -> Fit:
    """The fit to all that is recorded."""
    return Fit.of(*recorded())


class Component:
    """One component: a draw from the posterior, or its mean where no generator is given."""

    def __init__(self, kernel: Kernel, x: np.ndarray, y: np.ndarray, rng: np.random.Generator | None) -> None:
        self._kernel, self._x = kernel, x
        self._frequencies = self._phases = self._amplitudes = None
        target = y
        if rng is not None:
            normal = rng.standard_normal((FEATURES, x.shape[1])) / kernel.scales
            self._frequencies = normal / np.sqrt(rng.chisquare(5, (FEATURES, 1)) / 5)  # spectrum of Matern 5/2
            self._phases = rng.uniform(0, 2 * np.pi, FEATURES)
            self._amplitudes = rng.standard_normal(FEATURES) * np.sqrt(2 * kernel.signal / FEATURES)
            target = y - self._prior(x) - rng.standard_normal(len(x)) * np.sqrt(kernel.noise)
        covariance = kernel(x, x) + kernel.noise * np.eye(len(x))
        self._alpha = cho_solve(cho_factor(covariance), target)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        prior = self._prior(x) if self._frequencies is not None else 0.0
        return prior + self._kernel(x, self._x) @ self._alpha

    def _prior(self, x: np.ndarray) -> np.ndarray:
        return np.cos(x @ self._frequencies.T + self._phases) @ self._amplitudes


class Surrogate:
    """Curves of a world that the recorded trainings allow.

    Args:
        number: Which one; None is the mean of them all, fitted to every recorded training.
    """

    def __init__(self, number: int | None, fit: Fit | None = None) -> None:
        fit = fitted() if fit is None else fit
        x, weights, self._basis, self._residuals = fit.x, fit.weights, fit.basis, fit.residuals
        rng = None if number is None else np.random.default_rng([number, 1])
        if rng is not None:
            chosen = rng.permutation(len(x))[: round(SHARE * len(x))]
            x, weights = x[chosen], weights[chosen]
        columns = zip(fit.kernels, weights.T, strict=True)
        self._components = [Component(kernel, x, column, rng) for kernel, column in columns]

    def z(self, points: np.ndarray) -> np.ndarray:
        x = features(points)
        return self._basis.curves(np.stack([component(x) for component in self._components], axis=1))

    def diverges(self, points: np.ndarray) -> np.ndarray:
        low, high, _ = BOUNDS["warmup_epochs"]
        return (effective_step(points) > 1.5) & (low + (high - low) * points[:, _WARMUP] < 3.0)

    def truth(self, points: np.ndarray) -> np.ndarray:
        """Fitness at the last epoch without noise; 0 where trainings diverge."""
        return np.where(self.diverges(points), 0.0, to_fitness(self.z(points)[:, -1]))

    def quality(self, hyp: Mapping[str, float]) -> float:
        return float(self.truth(unit(hyp)[None])[0])

    def train(self, hyp: Mapping[str, float], rng: np.random.Generator) -> np.ndarray:
        """A training: its fitness by epoch; NaN from the epoch on at which it diverges."""
        point = unit(hyp)[None]
        noise = rng.standard_normal(len(self._residuals)) @ self._residuals
        curve = to_fitness(self.z(point)[0] + noise)
        if self.diverges(point)[0]:
            curve[DIVERGENCE_EPOCH - 1 :] = np.nan
        return curve

    @functools.cached_property
    def best(self) -> tuple[float, dict[str, float]]:
        """The best final fitness that there is, and where: random points, then local search from the best of them."""
        rng = np.random.default_rng(0)
        points = rng.random((5_000, len(NAMES)))
        values = np.concatenate([self.truth(part) for part in np.array_split(points, 10)])
        points = points[np.argsort(-values)[:40]]
        values, step = self.truth(points), 0.2
        for _ in range(150):
            moved = rng.random(points.shape) < 0.4
            children = np.clip(points + moved * rng.standard_normal(points.shape) * step, 0, 1)
            found = self.truth(children)
            better = found > values
            points[better], values[better] = children[better], found[better]
            step = max(step * 0.97, 0.01)
        winner = int(np.argmax(values))
        return float(values[winner]), params(points[winner])


class TreeSurrogate(Surrogate):
    """Another kind of world, as a check on methods that are Gaussian processes themselves: extra trees.

    Their held-out ranks are worse (0.91 overall, 0.52 within the best quarter), and their steps are nobody's model.
    """

    def __init__(self, number: int) -> None:
        super().__init__(None)
        x, weights = fitted().x, fitted().weights
        chosen = np.random.default_rng([number, 3]).permutation(len(x))[: round(SHARE * len(x))]
        trees = ExtraTreesRegressor(60, min_samples_leaf=2, max_features=0.8, random_state=number)
        self._trees = trees.fit(x[chosen], self._basis.curves(weights[chosen]))

    def z(self, points: np.ndarray) -> np.ndarray:
        return np.asarray(self._trees.predict(features(points)))


WORLDS: dict[str, type[Surrogate]] = {"gp": Surrogate, "trees": TreeSurrogate}
