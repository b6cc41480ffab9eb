"""Any sampler without a state of its own: made anew for each trial, with a seed that belongs to the trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.samplers._rng import base_seed, derived_seed, trial_keys
from search.samplers.finite import is_exhausted


class TrialSeededSampler(BaseSampler):
    """Lets a sampler start from a seed made of ``(seed, trial.number)`` in every trial.

    Optuna's TPE and random samplers carry a random stream from trial to trial. After a restart that stream begins
    again: a resumed sweep would draw its first random trials a second time. Here a trial's numbers
    depend on the trial alone, in whatever process it is suggested.

    For samplers that read all else from the study: of Optuna's, all do. CMA-ES and NSGA-II keep what they learn among
    the system attributes of trials and study; what the Gaussian process remembers of its last fit only saves time.

    Args:
        make: Builds the sampler from a seed; picklable, if this sampler is to be.
        seed: Whole number from 0 up; None takes a fresh one.

    Raises:
        InputError: The seed is negative.
    """

    def __init__(self, make: Callable[[int], BaseSampler], *, seed: int | None = None) -> None:
        self._make = make
        self._seed = base_seed(seed)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self._make(self._seed % 2**32)})"

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Ask a fresh sampler."""
        return self._fresh(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Ask a fresh sampler, which infers its space once more because grouped TPE remembers it from there."""
        sampler = self._fresh(trial)
        sampler.infer_relative_search_space(study, trial)
        return sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - Optuna's own signature
        """Ask a fresh sampler; the name is in its seed, or all parameters of a trial would get one number."""
        sampler = self._fresh(trial, param_name)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Tell a fresh sampler."""
        self._fresh(trial).before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tell a fresh sampler."""
        self._fresh(trial).after_trial(study, trial, state, values)

    def exhausted(self, study: Study) -> bool:
        """Whether the sampler has nothing more to suggest."""
        return is_exhausted(self._make(self._seed % 2**32), study)

    def reseed_rng(self) -> None:
        """Do nothing: no two trials share a number, so parallel workers never share a seed."""

    def _fresh(self, trial: FrozenTrial, *keys: str) -> BaseSampler:
        return self._make(derived_seed(self._seed, *trial_keys(trial), *keys))
