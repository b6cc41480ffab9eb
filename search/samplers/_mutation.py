"""YOLOv5's mutation: every gene times its own factor near 1.

    v = clip(1 + gain * (U < 0.8) * N(0, 1) * U' * 0.2, 0.3, 3.0)

U and N are drawn per gene, U' per child; the whole is drawn again until some gene changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.samplers._genes import Gene, is_smooth, other_choice, settle

PROBABILITY = 0.8
"""Probability that a gene mutates at all; ``mp`` in YOLOv5."""
SIGMA = 0.2
"""Scale of a mutation; ``s`` in YOLOv5."""
SMALLEST, LARGEST = 0.3, 3.0
"""Bounds of one mutation's factor."""

_MOST_DRAWS = 100
"""A space in which nothing can change (all gains 0, one legal value) gives the parent back after so many."""


def factors(gains: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the factors ``v`` of one child once (they may all be 1).

    Args:
        gains: Mutation gains, shape ``(n_genes,)``.
        rng: Stream of the child.

    Returns:
        Shape ``(n_genes,)``, within [0.3, 3.0].

    Source: YOLOv5 ``train.py``, "Mutate".
    """
    n = len(gains)
    mutates = rng.random(n) < PROBABILITY
    step = gains * mutates * rng.standard_normal(n) * rng.random() * SIGMA
    drawn: np.ndarray = (1.0 + step).clip(SMALLEST, LARGEST)
    return drawn


def mutate(genes: Sequence[Gene], rng: np.random.Generator) -> dict[str, Any]:
    """Return a child in which some gene changed: values by name, rounded and inside their distributions.

    As in YOLOv5 a float gene has changed when its factor is not 1, even if it is 0 (a product never leaves 0)
    or is clipped back to its bound. Genes that know no small change (int, step, categorical) must take
    another value to count.

    Args:
        genes: The parent; an empty one gives an empty child.
        rng: Stream of the child.
    """
    can_change = any(gene.gain for gene in genes)
    child, changed = mutate_once(genes, rng)
    for _ in range(_MOST_DRAWS if can_change else 0):
        if changed:
            break
        child, changed = mutate_once(genes, rng)
    return child


def mutate_once(genes: Sequence[Gene], rng: np.random.Generator) -> tuple[dict[str, Any], bool]:
    """Return a child and whether a gene changed, which it need not: for a gene among others that do."""
    v = factors(np.array([gene.gain for gene in genes], dtype=np.float64), rng)
    lots = rng.random((len(genes), 2))
    child: dict[str, Any] = {}
    changed = False
    for gene, factor, lot in zip(genes, v, lots, strict=True):
        child[gene.name] = _moved(gene, float(factor), lot)
        is_other = factor != 1.0 if is_smooth(gene.distribution) else child[gene.name] != gene.value
        changed = changed or bool(is_other)
    return child, changed


def _moved(gene: Gene, factor: float, lot: np.ndarray) -> Any:  # noqa: ANN401 - Optuna's own value type
    """Return one gene's new value; ``lot`` holds two uniform numbers in [0, 1)."""
    if isinstance(gene.distribution, CategoricalDistribution):
        # No product here: with the probability and the scale of a number's mutation another choice is taken.
        switches = lot[0] < PROBABILITY * SIGMA * gene.gain
        return other_choice(gene.distribution, gene.value, float(lot[1])) if switches else gene.value
    if not isinstance(gene.distribution, FloatDistribution | IntDistribution):
        raise TypeError(f"{gene.name} has the distribution {gene.distribution}, which Optuna does not define.")
    return settle(gene.value * factor, gene.distribution, float(lot[0]))
