"""A sampler that models learning curves: every trial teaches it, however short it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from data_prep.errors import InputError
from search.samplers._acquisition import best_point
from search.samplers._curve_model import CurveModel, Observations
from search.samplers._encoding import Encoding
from search.samplers._observed import Observed, common_space, is_covered, observed
from search.samplers._rng import base_seed, derived_seed, generator, trial_keys

_MOST_PENDING = 64


class CurveGPSampler(BaseSampler):
    """Expected improvement at the last epoch, under a Gaussian process over configurations and epochs.

    Optuna's ``GPSampler`` learns from COMPLETE trials alone and TPE ranks a trial by how far it came; under early
    stopping most of what a sweep has paid for is values at early rungs. Here they are one model with the final ones
    (``_curve_model.py``), which also learns how much an early value says.

    - It learns from COMPLETE, PRUNED, paused and running trials by their values at the rungs, and from diverged ones.
    - Trials in training without a value yet are taken at their predicted values, so that parallel ones differ.
    - Any space of Optuna's; parameters that not all trials have (conditional ones) are drawn at random.
    - A suggestion costs time with the cube of ``max_values``, not of the length of the study.

    The only state is the seed: each trial's random stream is made from ``(seed, trial.number)``, and the model is
    fitted anew from what the study says.

    Args:
        seed: Whole number from 0 up; None takes a fresh one.
        n_startup_trials: Random until so many trials have a value at a rung, whoever suggested them.
        max_values: About the most values that are fitted.
        iterations: Steps of the optimizer that fits the model.

    Raises:
        InputError: A negative seed, or another number below 1.

    Source: Swersky et al., "Freeze-Thaw Bayesian Optimization" (2014), for one process over both; Klein et al., "Model-
    based Asynchronous Hyperparameter and Neural Architecture Search" (2020), for its use under asynchronous halving.

    Example:
        >>> import optuna
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> study = optuna.create_study(sampler=CurveGPSampler(seed=0))
        >>> study.optimize(lambda trial: (trial.suggest_float("x", 0.0, 10.0) - 2.0) ** 2, n_trials=20)
        >>> round(study.best_params["x"], 1)
        2.0
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        n_startup_trials: int = 4,
        max_values: int = 150,
        iterations: int = 15,
    ) -> None:
        given = {"n_startup_trials": n_startup_trials, "max_values": max_values, "iterations": iterations}
        for name, number in given.items():
            if number < 1:
                raise InputError(f"{name} is {number}: give at least 1.")
        self._seed = base_seed(seed)
        self._n_startup_trials = n_startup_trials
        self._max_values = max_values
        self._iterations = iterations

    def infer_relative_search_space(
        self,
        study: Study,
        trial: FrozenTrial,  # noqa: ARG002 - Optuna's own signature
    ) -> dict[str, BaseDistribution]:
        """Return what all trials with values have in common, without parameters of a single value."""
        self._raise_error_if_multi_objective(study)
        space = common_space(study.get_trials(deepcopy=False))
        return {name: distribution for name, distribution in sorted(space.items()) if not distribution.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the configuration of the best expected improvement; nothing while there are too few trials."""
        self._raise_error_if_multi_objective(study)
        if not search_space:
            return {}
        trials = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        maximize = study.direction == StudyDirection.MAXIMIZE
        found = observed(trials, search_space, self._max_values, maximize=maximize)
        if len(found) < self._n_startup_trials:
            return {}
        encoding = Encoding(search_space)
        points = encoding.encode(each.trial.params for each in found)
        model = CurveModel(_observations(found, points, encoding), self._iterations)
        pending = _pending(trials, found, search_space)
        if pending:
            at_work = encoding.encode(other.params for other in pending)
            model.believe(encoding.features(at_work))
            points = np.vstack([points, at_work])  # their predicted values are to be improved on, too
        return encoding.decode(best_point(model, encoding, points, generator(self._seed, *trial_keys(trial))))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - Optuna's own signature
        """Draw a value at random."""
        self._raise_error_if_multi_objective(study)
        random = RandomSampler(seed=derived_seed(self._seed, *trial_keys(trial), param_name))
        return random.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Do nothing: no two trials share a number, so parallel workers never share a stream."""


def _observations(found: Sequence[Observed], points: np.ndarray, encoding: Encoding) -> Observations:
    rows = [(row, step, value) for row, each in enumerate(found) for step, value in each.values.items()]
    index, steps, values = (np.array(column) for column in zip(*rows, strict=True))
    times = np.maximum(steps, 1).astype(np.float64)
    return Observations(encoding.features(points[index]), encoding.groups, times, values)


def _pending(
    trials: Sequence[FrozenTrial], found: Sequence[Observed], space: dict[str, BaseDistribution]
) -> list[FrozenTrial]:
    """The newest trials in training that have no value at a rung yet."""
    known = {each.trial.number for each in found}
    running = [
        trial
        for trial in trials
        if trial.state == TrialState.RUNNING and trial.number not in known and is_covered(trial, space)
    ]
    return running[-_MOST_PENDING:]
