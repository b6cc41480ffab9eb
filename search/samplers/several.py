"""Samplers for several goals: Optuna's own, one at a time.

What their search rests on is the front of COMPLETE trials: NSGA-II, NSGA-III and the Gaussian process read no others,
TPE takes PRUNED ones for bad ones. They work asynchronously: a generation of NSGA-II ends when it has its number of
COMPLETE trials, whatever still trains.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from optuna.samplers import BaseSampler, GPSampler, NSGAIIISampler, NSGAIISampler, RandomSampler
from optuna.study import Study
from pydantic import Field

from data_prep.validation import FrozenModel
from search.samplers.portfolio import PortfolioSampler
from search.samplers.registry import quietly
from search.samplers.seeded import TrialSeededSampler


class NSGAOptions(FrozenModel):
    """Options of the members ``nsga2`` and ``nsga3``: Optuna's genetic algorithms for several goals."""

    population_size: int = Field(default=16, ge=2)
    """COMPLETE trials of a generation; the first is random. Optuna's default is 50, which few sweeps train fully."""
    mutation_prob: float | None = Field(default=None, ge=0, le=1)
    """Probability that a parameter is drawn anew; None is 1 / parameters; Optuna's default."""
    crossover_prob: float = Field(default=0.9, ge=0, le=1)
    """Probability that a trial has two parents; Optuna's default."""
    swapping_prob: float = Field(default=0.5, ge=0, le=1)
    """Probability that a parameter comes from the second parent; Optuna's default."""


class FrontSampler(PortfolioSampler):
    """One sampler on a study with several goals; each trial's author is recorded as in a portfolio.

    Args:
        name: The sampler's name.
        sampler: A sampler of Optuna's that can search for a front.
        seed: Whole number from 0 up.
    """

    def __init__(self, name: str, sampler: BaseSampler, *, seed: int) -> None:
        super().__init__({name: sampler}, seed=seed)

    def _raise_error_if_multi_objective(self, study: Study) -> None:
        """Let several goals pass: one member competes with nobody."""


def nsga(kind: type[NSGAIISampler] | type[NSGAIIISampler], options: NSGAOptions, seed: int) -> TrialSeededSampler:
    """Return NSGA-II or NSGA-III; all that it remembers is in the study."""
    return _seeded(kind, options.model_dump(), seed)


def gaussian_process(n_startup_trials: int, seed: int) -> TrialSeededSampler:
    """Return Optuna's Gaussian process, which aims at the hypervolume of the front. Loads torch in the driver."""
    options = {"n_startup_trials": n_startup_trials, "warn_independent_sampling": False}
    return _seeded(_gp, options, seed)


def _gp(*, seed: int, **options: Any) -> GPSampler:  # noqa: ANN401  its own options
    return GPSampler(seed=seed, independent_sampler=RandomSampler(seed=seed), **options)


def _seeded(kind: Callable[..., BaseSampler], options: Mapping[str, Any], seed: int) -> TrialSeededSampler:
    return TrialSeededSampler(functools.partial(quietly, kind, options), seed=seed)
