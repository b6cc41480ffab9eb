"""From the best trials to the genes that are mutated: one parent by lot, or the weighted mean of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from search.samplers._genes import contains
from search.samplers._population import Individual

ParentRule = Literal["single", "weighted"]

_FLOOR = 1e-6
"""Weight that the worst of the best keeps; YOLOv5 ``train.py``: ``fitness(x) - fitness(x).min() + 1E-6``."""


def selection_weights(fitness: Sequence[float]) -> np.ndarray:
    """Return the parents' weights, normalised.

    Args:
        fitness: Finite fitness of each parent, shape ``(n,)``, n >= 1.

    Returns:
        Shape ``(n,)``, all positive, sum 1.
    """
    # Scaled down first where the spread itself would overflow; nothing below 1e300 is touched.
    scale = max(1.0, float(np.abs(fitness).max()) / 1e300)
    scaled = np.asarray(fitness, dtype=np.float64) / scale
    weights: np.ndarray = scaled - scaled.min() + _FLOOR
    weights /= weights.sum()
    return weights


def parent_genes(
    best: Sequence[Individual], space: Mapping[str, BaseDistribution], rule: ParentRule, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the genes to mutate, of those names in ``space`` that a parent has with a legal value.

    Args:
        best: The best trials, best first, at least one.
        space: The distributions that the child's values must lie in.
        rule: ``single``: one parent, drawn by weight. ``weighted``: the weighted mean of all; of a categorical
            parameter the choice with the most weight.
        rng: Stream of the child; ``single`` takes one number from it.

    Source: YOLOv5 ``train.py``, "Select parent(s)".
    """
    if rule == "single":
        return _legal(chosen(best, rng).params, space)
    weights = selection_weights([individual.fitness for individual in best])
    genes = [_legal(individual.params, space) for individual in best]
    return {
        name: _mean([(g[name], w) for g, w in zip(genes, weights, strict=True) if name in g], space[name])
        for name in space
        if any(name in g for g in genes)
    }


def chosen(best: Sequence[Individual], rng: np.random.Generator) -> Individual:
    """Draw one parent by weight; takes one number from ``rng``."""
    weights = selection_weights([individual.fitness for individual in best])
    return best[int(rng.choice(len(best), p=weights))]


def _legal(params: Mapping[str, Any], space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    return {name: params[name] for name in space if name in params and contains(space[name], params[name])}


def _mean(weighted: Sequence[tuple[Any, float]], distribution: BaseDistribution) -> Any:  # noqa: ANN401
    """Average values with their weights; parents without the gene (conditional spaces) have no vote."""
    if not isinstance(distribution, CategoricalDistribution):
        total = sum(weight for _, weight in weighted)
        return float(sum(value * weight for value, weight in weighted) / total)
    votes = np.zeros(len(distribution.choices))
    for value, weight in weighted:
        votes[int(distribution.to_internal_repr(value))] += weight
    return distribution.choices[int(votes.argmax())]
