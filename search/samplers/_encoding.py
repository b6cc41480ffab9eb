"""Parameters of any kind as points of a unit cube, for samplers that model distances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution


class Encoding:
    """The cube of a search space: a column per parameter, in order of name.

    A number lies at its place between its bounds, in logarithm where its distribution says so; an int or a number with
    a step owns an interval of equal width. A choice owns an interval, too, but distances between choices are all equal
    (:meth:`features`).

    Args:
        space: Distributions by name.
    """

    def __init__(self, space: Mapping[str, BaseDistribution]) -> None:
        self.names = tuple(sorted(space))
        self._columns = [_Column(space[name]) for name in self.names]
        widths = [column.width for column in self._columns]
        self.groups = np.repeat(np.arange(len(widths)), widths)
        """Column of the cube that each feature belongs to."""
        self.is_choice = np.array([column.n_choices > 0 for column in self._columns])

    def encode(self, configs: Iterable[Mapping[str, Any]]) -> np.ndarray:
        """Return the points of configurations, one per row."""
        rows = list(configs)
        columns = [c.units([row[name] for row in rows]) for name, c in zip(self.names, self._columns, strict=True)]
        return np.stack(columns, axis=1) if columns else np.empty((len(rows), 0))

    def decode(self, point: np.ndarray) -> dict[str, Any]:
        """Return the legal configuration at a point."""
        return {name: column.value(u) for name, column, u in zip(self.names, self._columns, point, strict=True)}

    def snap(self, points: np.ndarray) -> np.ndarray:
        """Move points into the cube and to the nearest legal configuration."""
        clipped = np.clip(points, 0.0, 1.0)
        return np.stack([column.snapped(u) for column, u in zip(self._columns, clipped.T, strict=True)], axis=1)

    def features(self, points: np.ndarray) -> np.ndarray:
        """Return what distances are taken of: numbers as they are, two different choices at distance 1."""
        return np.hstack([column.features(u) for column, u in zip(self._columns, points.T, strict=True)])


class _Column:
    """One parameter on [0, 1]."""

    def __init__(self, distribution: BaseDistribution) -> None:
        self._distribution = distribution
        self.n_choices, self._log, self._step = 0, False, 0.0
        if isinstance(distribution, CategoricalDistribution):
            self.n_choices = len(distribution.choices)
        elif isinstance(distribution, FloatDistribution | IntDistribution):
            self._log, self._step = distribution.log, float(distribution.step or 0.0)
            half = 0.5 * self._step
            ends = np.array([distribution.low - half, distribution.high + half], dtype=np.float64)
            self._low, self._high = np.log(ends) if self._log else ends
        else:
            raise TypeError(f"{distribution} is no distribution that Optuna defines.")

    @property
    def width(self) -> int:
        return self.n_choices or 1

    def units(self, values: Sequence[Any]) -> np.ndarray:
        if self.n_choices:
            places = [self._distribution.to_internal_repr(value) for value in values]
            return (np.array(places, dtype=np.float64) + 0.5) / self.n_choices
        numbers = np.array(values, dtype=np.float64)
        scaled = np.log(numbers) if self._log else numbers
        inside: np.ndarray = np.clip((scaled - self._low) / (self._high - self._low), 0.0, 1.0)
        return inside

    def value(self, u: float) -> Any:  # noqa: ANN401
        if self.n_choices:
            return self._distribution.to_external_repr(float(min(int(u * self.n_choices), self.n_choices - 1)))
        return self._distribution.to_external_repr(float(self._numbers(np.array([u]))[0]))

    def snapped(self, u: np.ndarray) -> np.ndarray:
        if self.n_choices:
            centres: np.ndarray = (np.minimum(np.floor(u * self.n_choices), self.n_choices - 1) + 0.5) / self.n_choices
            return centres
        if not self._step:
            return u
        numbers = self._numbers(u)
        scaled = np.log(numbers) if self._log else numbers
        return np.asarray((scaled - self._low) / (self._high - self._low))

    def features(self, u: np.ndarray) -> np.ndarray:
        if not self.n_choices:
            return u[:, None]
        index = np.minimum((u * self.n_choices).astype(int), self.n_choices - 1)
        return np.asarray(np.eye(self.n_choices)[index] / np.sqrt(2.0))

    def _numbers(self, u: np.ndarray) -> np.ndarray:
        """Numbers of the distribution at places of the cube."""
        low, high = self._distribution.low, self._distribution.high  # type: ignore[attr-defined]  # no choice here
        numbers = self._low + u * (self._high - self._low)
        numbers = np.exp(numbers) if self._log else numbers
        if self._step:
            numbers = low + np.round((numbers - low) / self._step) * self._step
        inside: np.ndarray = np.clip(numbers, low, high)
        return inside
