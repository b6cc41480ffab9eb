"""A known config in the space of this sweep: what is missing, what is not searched, what lies outside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from data_prep.errors import InputError
from search.known.evolve import ANCHORS
from search.known.source import KnownTrial
from search.space import Space

_DIGITS = 1e-4
"""YOLOv5 writes five significant digits: values of the base that differ by less are the same."""


@dataclass(frozen=True)
class Fitted:
    """A config as the parameters of a trial.

    Attributes:
        known:
            What it was made of.
        params:
            A value for every parameter of the space.
        other:
            What is not searched here and was another value there, name to that value.
        filled:
            Parameters that the source does not state; they have the base's values.
        clipped:
            Parameters that were moved to a bound: name to (value there, value here).
    """

    known: KnownTrial
    params: dict[str, Any]
    other: dict[str, Any]
    filled: tuple[str, ...]
    clipped: dict[str, tuple[float, float]]


def fit(known: KnownTrial, base: Mapping[str, Any], space: Space, *, clip: bool) -> Fitted:
    """Bring a known config into the space.

    Args:
        known:
            The config.
        base:
            Hyps and settings that suggestions override.
        space:
            What is searched.
        clip:
            Whether a number outside its bounds is moved to the nearer one.

    Raises:
        InputError: A value lies outside the space, or is of another kind.
    """
    stated = known.params
    clipped: dict[str, tuple[float, float]] = {}

    def settle(name: str, distribution: BaseDistribution) -> Any:  # noqa: ANN401  Optuna's own value type
        target = space.target(name)
        if target not in stated or not space.is_searched(name):
            return _start(known, space, name, base)
        value = _legal(known, target, distribution, clip=clip)
        if value != stated[target] and not _is_rounding(target, stated[target], value):
            clipped[target] = (stated[target], value)
        return _start(known, space, name, {target: value})

    params = space.walk(settle)
    searched = {space.target(name): name for name in params if space.is_searched(name)}
    other = {n: v for n, v in stated.items() if n not in searched and not _same(n, v, base.get(n))}
    return Fitted(known, params, other, tuple(n for n in searched if n not in stated), clipped)


def _start(known: KnownTrial, space: Space, name: str, base: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """The value of one parameter as the space takes it, checked.

    Raises:
        InputError: It is nowhere, or lies outside the space.
    """
    try:
        return space.start(name, base)
    except InputError as error:
        raise InputError(f"{known.label}: {error}") from error


def _legal(known: KnownTrial, name: str, distribution: BaseDistribution, *, clip: bool) -> Any:  # noqa: ANN401
    """The value of one parameter, inside its range.

    Raises:
        InputError: It is outside and must not be moved, or cannot be.
    """
    value = known.params[name]
    if isinstance(distribution, CategoricalDistribution):
        if value not in distribution.choices:
            raise InputError(
                f"{known.label}: {name} is {value!r}, none of the choices {list(distribution.choices)}: "
                "add it to the space, or leave that config out."
            )
        return value
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"{known.label}: {name} is {value!r}, which is no finite number: correct it there.")
    if name == "anchors" and isinstance(distribution, IntDistribution):
        value = round(value)  # as YOLOv5 does
    if isinstance(distribution, FloatDistribution | IntDistribution):
        inside = min(max(value, distribution.low), distribution.high)
        if inside != value and not clip:
            raise InputError(
                f"{known.label}: {name} is {value:g}, outside {distribution.low:g} to {distribution.high:g}: "
                "widen its bounds in the space, or have it moved to the bound (--clip, `clip: true`)."
            )
        return inside
    return value


def _is_rounding(name: str, there: float, here: float) -> bool:
    return name == "anchors" and round(there) == here


def _same(name: str, value: Any, base: Any) -> bool:  # noqa: ANN401  a hyp or a training setting
    if base is None and name == "anchors":
        return isinstance(value, int | float) and round(value) == round(ANCHORS)
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (value, base))
    return math.isclose(value, base, rel_tol=_DIGITS) if numbers else bool(value == base)


def unit(params: Mapping[str, Any], searched: Mapping[str, BaseDistribution]) -> dict[str, float | str]:
    """A config in the unit cube: numbers by where they lie in their range, choices as they are."""
    return {n: _place(v, searched[n]) for n, v in params.items() if n in searched}


def _place(value: Any, distribution: BaseDistribution) -> float | str:  # noqa: ANN401
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        return repr(value)
    low, high = float(distribution.low), float(distribution.high)
    if high == low:
        return 0.0
    if distribution.log:
        return math.log(max(value, low) / low) / math.log(high / low)
    return (float(value) - low) / (high - low)


def are_near(one: Mapping[str, float | str], other: Mapping[str, float | str], distance: float) -> bool:
    """Whether two places differ in no choice, and in no number by ``distance`` of its range or more."""
    return one.keys() == other.keys() and all(_is_near(one[name], other[name], distance) for name in one)


def _is_near(one: float | str, other: float | str, distance: float) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < distance
    return one == other
