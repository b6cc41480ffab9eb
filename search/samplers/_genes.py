"""What a gene is, and how a number becomes a legal value of its distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

CLASSIC_DIGITS = 5
"""Decimals that YOLOv5's ``train.py`` keeps of an evolved hyperparameter."""

_FEWEST_STEPS = 100
"""A range that holds fewer steps of the last classic decimal is rounded by significant digits instead."""


@dataclass(frozen=True, slots=True)
class Gene:
    """One parameter of one parent.

    Attributes:
        name: The parameter's name.
        value: The parent's value; between two legal values where parents were averaged.
        distribution: What the child's value must lie in.
        gain: Mutation gain, 0 (never mutates) to about 1; YOLOv5's ``meta[name][0]``.
    """

    name: str
    value: Any
    distribution: BaseDistribution
    gain: float


def contains(distribution: BaseDistribution, value: Any) -> bool:  # noqa: ANN401 - Optuna's own value type
    """Whether ``value`` is legal in ``distribution`` (a value of another kind is not)."""
    try:
        # Optuna has no public form of this question; its own samplers and trials ask it in the same way.
        return distribution._contains(distribution.to_internal_repr(value))  # noqa: SLF001
    except (ValueError, TypeError):
        return False


def is_smooth(distribution: BaseDistribution) -> bool:
    """Whether any small change of a value gives another legal value: a float without a step."""
    return isinstance(distribution, FloatDistribution) and distribution.step is None


def settle(value: float, distribution: FloatDistribution | IntDistribution, u: float) -> float | int:
    """Return the legal value that ``value`` becomes: rounded first, then clipped to the bounds.

    A value between two points of a grid (ints, floats with a step) goes to either, with a probability by
    nearness: plain rounding would leave an int of 3 at 3 for ever, since one mutation moves it by about 10 %.

    Args:
        value: Any number, also far outside the bounds.
        distribution: Where the value must lie.
        u: Uniform number in [0, 1) that decides between two grid points.
    """
    clipped = min(max(value, distribution.low), distribution.high)
    if isinstance(distribution, IntDistribution):
        low, step = distribution.low, distribution.step
        return min(low + step * math.floor((clipped - low) / step + u), distribution.high)
    if distribution.step is not None:
        # Nearly on the grid counts as on it: -10.2 + 3 * 0.1 must not fall one step down by its last bit.
        position = round((clipped - distribution.low) / distribution.step, 8)
        on_grid = distribution.low + distribution.step * math.floor(position + u)
        return min(on_grid, distribution.high)
    return min(max(_rounded(clipped, distribution), distribution.low), distribution.high)


def other_choice(distribution: CategoricalDistribution, value: Any, u: float) -> Any:  # noqa: ANN401
    """Return one of the choices that are not ``value``, by the uniform number ``u`` in [0, 1)."""
    current = int(distribution.to_internal_repr(value))
    others = [index for index in range(len(distribution.choices)) if index != current]
    return distribution.choices[others[int(u * len(others))]] if others else value


def _rounded(value: float, distribution: FloatDistribution) -> float:
    """Round to YOLOv5's 5 decimals, or to 5 significant digits where 5 decimals would flatten the range.

    All of YOLOv5's bounds keep the classic rule; a log range from 1e-8 or a linear one up to 1e-4 does not.
    """
    finest = 10.0**-CLASSIC_DIGITS
    too_narrow = distribution.high - distribution.low < finest * _FEWEST_STEPS * (1 - 1e-9)
    too_small = distribution.log and distribution.low < finest
    if too_narrow or too_small:
        return float(f"{value:.{CLASSIC_DIGITS}g}")
    return round(value, CLASSIC_DIGITS) + 0.0  # + 0.0 turns -0.0 into 0.0
