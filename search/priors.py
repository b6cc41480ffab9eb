"""What is believed before a search: where the best value of a parameter lies, and how sure that is.

A belief about a range is a normal distribution cut off at its bounds, on the parameter's own scale (logarithmic where
it says so); about choices it is odds for one of them. A share of all draws is uniform, so nothing is impossible and a
wrong belief costs little.

Source: the idea of user beliefs with confidences: PriorBand (Mallik et al., 2023) and its package NePS.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Annotated, Any, Literal

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import BeforeValidator

from data_prep.validation import FrozenModel

UNIFORM_SHARE = 0.1
"""Share of the draws from a prior that are uniform."""
CONFIDENCES = {"none": 0.0, "low": 2.0, "medium": 4.0, "high": 8.0}
"""Words for confidences, which are numbers: so many standard deviations span a range, or so many to one are the odds
of the centre against each other choice; 0 is no belief at all."""


def _number(value: Any) -> float:  # noqa: ANN401 - whatever stands in the YAML
    if isinstance(value, str) and value in CONFIDENCES:
        return CONFIDENCES[value]
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not (number == 0 or 1 <= number < math.inf):
        raise ValueError(f"choose one of {', '.join(CONFIDENCES)}, or a number from 1 up")
    return float(number)


Confidence = Annotated[float, BeforeValidator(_number)]
"""One of :data:`CONFIDENCES`, or a number from 1 up."""


class ParameterPrior(FrozenModel):
    """What a space says about the prior of one parameter."""

    centre: Any = None
    """The value that is believed best; None takes where the search starts."""
    confidence: Confidence = CONFIDENCES["medium"]
    """How sure that is."""


class SpacePrior(FrozenModel):
    """The prior of all parameters that have none of their own."""

    around: Literal["default"] = "default"
    """Its centre: where the search of each parameter starts."""
    confidence: Confidence = CONFIDENCES["medium"]
    """How sure that is."""


@dataclass(frozen=True, slots=True)
class Prior:
    """A belief about one parameter.

    Attributes:
        centre:
            The value that is believed best; outside the bounds it stands for the nearest one.
        confidence:
            Number of standard deviations that span the range, or odds of the centre against each other choice.
    """

    centre: Any
    confidence: float = CONFIDENCES["medium"]

    def draw(self, distribution: BaseDistribution, rng: np.random.Generator) -> Any:  # noqa: ANN401 - Optuna's own
        """Draw a legal value: most probably the centre or near it, with some probability any other.

        Args:
            distribution:
                What the value must lie in.
            rng:
                Two numbers are taken from it.
        """
        is_uniform, u = rng.random() < UNIFORM_SHARE, float(rng.random())
        if isinstance(distribution, CategoricalDistribution):
            return self._choice(distribution, u, is_uniform=is_uniform)
        if not isinstance(distribution, FloatDistribution | IntDistribution):
            raise TypeError(f"there is no prior for {distribution!r}, which Optuna does not define")
        scale = _Scale(distribution)
        return scale.value(u if is_uniform else self._cut_normal(scale.position(self.centre), u))

    def _choice(self, distribution: CategoricalDistribution, u: float, *, is_uniform: bool) -> Any:  # noqa: ANN401
        odds = [1.0 if is_uniform or choice != self.centre else self.confidence for choice in distribution.choices]
        place = np.searchsorted(np.cumsum(odds), u * sum(odds), side="right")
        return distribution.choices[min(int(place), len(odds) - 1)]

    def _cut_normal(self, centre: float, u: float) -> float:
        """The quantile ``u`` of a normal distribution that is cut off at 0 and 1."""
        normal = NormalDist(centre, 1 / self.confidence)
        low, high = normal.cdf(0.0), normal.cdf(1.0)
        p = low + u * (high - low)
        return min(max(normal.inv_cdf(p), 0.0), 1.0) if 0 < p < 1 else float(p >= 1)


class _Scale:
    """A range as positions from 0 to 1, on its own scale; whole numbers own half a step to both sides."""

    def __init__(self, distribution: FloatDistribution | IntDistribution) -> None:
        self._distribution = distribution
        half = (distribution.step or 0) / 2
        self._forth: Callable[[float], float] = math.log if distribution.log else float
        self._back: Callable[[float], float] = math.exp if distribution.log else float
        self._start = self._forth(distribution.low - half)
        self._length = self._forth(distribution.high + half) - self._start

    def position(self, value: float) -> float:
        """Where a value lies; one outside is taken for the nearest bound."""
        inside = min(max(value, self._distribution.low), self._distribution.high)
        return (self._forth(inside) - self._start) / self._length if self._length else 0.0

    def value(self, position: float) -> float | int:
        """The legal value at a position."""
        number, d = self._back(self._start + position * self._length), self._distribution
        if d.step is not None:
            number = d.low + round((number - d.low) / d.step) * d.step
        number = min(max(number, d.low), d.high)
        return int(number) if isinstance(d, IntDistribution) else float(number)
