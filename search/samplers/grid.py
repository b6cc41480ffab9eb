"""Every combination of a few values per parameter, each once, in an order that the seed shuffles."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from data_prep.errors import InputError
from search.samplers._rng import base_seed, derived_seed, generator

MOST_POINTS = 10_000
"""Largest grid; a larger one is no plan that anybody would train."""


class GridSampler(BaseSampler):
    """Gives each trial the next point of a grid; which point a trial has is stored with it.

    Made for ask and tell, a portfolio and resumes, unlike Optuna's sampler of the same name: it never stops a study
    (:meth:`exhausted` says when it has nothing left), takes the points in one seeded order whatever the numbers of its
    trials, and leaves enqueued trials and parameters that it does not hold to chance. A point counts as tried once its
    trial was started; one that failed is not tried again. Asked for more, it begins again with those tried least.

    Args:
        values: The values of each parameter, see :func:`grid_values`.
        seed: Seed of the order.

    Raises:
        InputError: The grid has more than ``MOST_POINTS`` points, or none.
    """

    def __init__(self, values: Mapping[str, Sequence[Any]], *, seed: int | None = None) -> None:
        self._values = {name: list(values[name]) for name in sorted(values)}
        self._seed = base_seed(seed)
        size = math.prod(len(choices) for choices in self._values.values())
        if not 0 < size <= MOST_POINTS or not self._values:
            shape = " x ".join(str(len(choices)) for choices in self._values.values())
            raise InputError(
                f"A grid of {shape or 'no parameters'} has {size:,} points, and 1 to {MOST_POINTS:,} are possible: "
                "take fewer points or search fewer parameters."
            )
        self._size = size
        self._order = [int(index) for index in generator(self._seed, "grid").permutation(size)]
        # Indices of another grid mean nothing here, as after a resume with other `points`.
        self._key = f"grid:{zlib.crc32(repr(self._values).encode()):08x}"

    @property
    def size(self) -> int:
        """How many points the grid has."""
        return self._size

    def exhausted(self, study: Study) -> bool:
        """Whether every point was started."""
        return len(self._tried(study)) == self._size

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Choose the trial's point and store it; an enqueued trial brings its own values and gets none."""
        if self._key in trial.system_attrs or "fixed_params" in trial.system_attrs:
            return
        tried = self._tried(study)
        fewest = min(tried.values()) if len(tried) == self._size else 0
        index = next(index for index in self._order if tried[index] == fewest)
        study._storage.set_trial_system_attr(trial._trial_id, self._key, index)  # noqa: SLF001 - no Trial exists yet
        trial.system_attrs[self._key] = index

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        """Return nothing: a point's values are given out one by one."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the point's values of what is asked for."""
        return {n: self.sample_independent(study, trial, n, space) for n, space in search_space.items()}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - Optuna's own signature
        """Return the point's value, or a random one for what the grid does not hold."""
        self._raise_error_if_multi_objective(study)
        if param_name in self._values and self._key in trial.system_attrs:
            return self._value(int(trial.system_attrs[self._key]), param_name)
        random = RandomSampler(seed=derived_seed(self._seed, trial.number, param_name))
        return random.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Do nothing: all workers go through one grid in one order."""

    def _tried(self, study: Study) -> Counter[int]:
        trials = study.get_trials(deepcopy=False)
        return Counter(t.system_attrs[self._key] for t in trials if self._key in t.system_attrs and _started(t))

    def _value(self, index: int, name: str) -> Any:  # noqa: ANN401 - a choice may be anything
        for other, choices in self._values.items():
            index, place = divmod(index, len(choices))
            if other == name:
                return choices[place]
        raise KeyError(name)


def grid_values(distribution: BaseDistribution, points: int) -> list[Any]:
    """Return ``points`` values from the lowest to the highest, evenly spaced on the parameter's own scale.

    A categorical parameter has its choices, an int or a float with a step no more values than there are; one point
    lies in the middle.
    """
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise TypeError(f"Optuna defines no distribution {distribution!r}.")
    low, high = float(distribution.low), float(distribution.high)
    shares = [index / (points - 1) for index in range(points)] if points > 1 else [0.5]
    if distribution.log:
        spaced = [math.exp(math.log(low) + share * (math.log(high) - math.log(low))) for share in shares]
    else:
        spaced = [low + share * (high - low) for share in shares]
    return list(dict.fromkeys(_legal(value, distribution) for value in spaced))


def _legal(value: float, distribution: FloatDistribution | IntDistribution) -> float | int:
    """Return the nearest legal value."""
    if distribution.step is not None:
        steps = round((value - distribution.low) / distribution.step)
        value = distribution.low + steps * distribution.step
    inside = min(max(value, distribution.low), distribution.high)
    return int(inside) if isinstance(distribution, IntDistribution) else float(inside)


def _started(trial: FrozenTrial) -> bool:
    return trial.state != TrialState.WAITING
