"""Dunnett's many-to-one comparison: how far the best of k candidates must stand above the default to be above it.

C. W. Dunnett, "A Multiple Comparison Procedure for Comparing Several Treatments with a Control", Journal of the
American Statistical Association 50 (1955), 1096-1121. ``scipy.stats.dunnett`` has the same for one-way samples, by a
random quadrature; here the degrees of freedom are the caller's (blocks), and the same input gives the same number.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy import optimize, special, stats

_NORMAL_NODES, _SCALE_NODES = 64, 96
_TAIL = 1e-13


@functools.lru_cache(maxsize=256)
def critical_value(candidates: int, freedom: int, error: float) -> float:
    """The value that the largest of all t statistics exceeds with probability ``error`` where nobody is better.

    Args:
        candidates:
            How many are compared with the default, k.
        freedom:
            Degrees of freedom of the pooled variance, at least as many as candidates.
        error:
            One-sided probability, in (0, 0.5).

    Returns:
        c with P(max of T_1 .. T_k > c) = ``error``, T_j = (mean_j - mean_0) / (s sqrt(2 / n)): between the quantile of
        Student's t (k = 1) and that of Bonferroni.
    """
    least, most = stats.t.ppf(1 - error, freedom), stats.t.ppf(1 - error / candidates, freedom)
    if candidates == 1:
        return float(least)
    points = _points(freedom)
    return float(optimize.brentq(lambda c: _exceeds(c, candidates, points) - error, least - 1e-6, most + 1e-6))


def probability(statistic: float, candidates: int, freedom: int) -> float:
    """P(max of T_1 .. T_k > ``statistic``) where nobody is better; see :func:`critical_value`."""
    return _exceeds(statistic, candidates, _points(freedom))


def _exceeds(statistic: float, candidates: int, points: tuple[np.ndarray, ...]) -> float:
    """Dunnett's equation (3): given the default's mean z and the scale s, the candidates are independent."""
    z, z_weights, s, s_weights = points
    below = special.ndtr(z[None, :] + np.sqrt(2) * statistic * s[:, None]) ** candidates
    return float(1 - s_weights @ below @ z_weights)


def _points(freedom: int) -> tuple[np.ndarray, ...]:
    """Nodes and weights of a standard normal z, shape (64,), and of s = sqrt(chi2 / freedom), shape (96,)."""
    z, z_weights = np.polynomial.hermite_e.hermegauss(_NORMAL_NODES)
    chi = stats.chi(freedom)
    low, high = chi.ppf(_TAIL), chi.ppf(1 - _TAIL)
    nodes, weights = np.polynomial.legendre.leggauss(_SCALE_NODES)
    x = low + (high - low) * (nodes + 1) / 2
    density = chi.pdf(x) * weights
    return z, z_weights / z_weights.sum(), x / np.sqrt(freedom), density / density.sum()
