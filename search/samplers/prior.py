"""Beliefs for any sampler: early trials are drawn from a prior, later ones more and more by the sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from data_prep.errors import InputError
from search.goals.record import is_rejected
from search.priors import Prior
from search.samplers._rng import base_seed, derived_seed, generator, trial_keys
from search.samplers.keys import FROM_PRIOR_KEY

STRENGTH = 10.0
"""Trials that a prior is worth; as many as TPE's random start."""


class PriorSampler(BaseSampler):
    """Draws a whole trial from the prior with a probability that falls with what is known, else asks a sampler.

    With n trials that have told a value the probability is ``min(1, strength / n)``: at first every trial comes from
    the prior (it takes the place of the random start of TPE, GP and the like), and the belief fades as evidence comes
    in, at the rate at which piBO's exponent ``beta / n`` lets it fade. The sampler learns from all trials, whoever drew
    them. Whether a trial came from the prior is drawn once and stored with it (user attribute ``from_prior``).

    The only state is the seed: all that is random depends on ``(seed, trial.number)``.

    Args:
        member: The sampler that it wraps; any Optuna sampler.
        priors: By parameter; a parameter without one is drawn uniformly in trials from the prior.
        strength: Trials that the prior is worth, from 0 (never used) up.
        seed: Whole number from 0 up; None takes a fresh one.

    Raises:
        InputError: A negative seed or strength.

    Source: Hvarfner et al., "piBO: Augmenting Acquisition Functions with User Beliefs" (2022), for the decay; Mallik et
    al., "PriorBand" (2023), for drawing from the prior beside a sampler instead of weighting its candidates.

    Example:
        >>> import optuna
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> tpe = optuna.samplers.TPESampler(seed=0)
        >>> sampler = PriorSampler(tpe, {"x": Prior(centre=2.0, confidence=8.0)}, seed=0)
        >>> study = optuna.create_study(sampler=sampler)
        >>> study.optimize(lambda trial: trial.suggest_float("x", 0.0, 10.0) ** 2, n_trials=3)
        >>> study.trials[0].user_attrs
        {'from_prior': True}
    """

    def __init__(
        self,
        member: BaseSampler,
        priors: Mapping[str, Prior],
        *,
        strength: float = STRENGTH,
        seed: int | None = None,
    ) -> None:
        if not strength >= 0:
            raise InputError(f"The prior's strength is {strength}: give the number of trials that it is worth, from 0.")
        self._member = member
        self._priors = dict(priors)
        self._strength = strength
        self._seed = base_seed(seed)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self._member})"

    @property
    def member(self) -> BaseSampler:
        """The sampler that it wraps."""
        return self._member

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Decide and store where the trial comes from; an enqueued one comes from neither."""
        if FROM_PRIOR_KEY not in trial.user_attrs and "fixed_params" not in trial.system_attrs:
            lot = generator(self._seed, *trial_keys(trial), "prior").random()
            from_prior = bool(lot < self.probability(study))
            # As in PortfolioSampler.before_trial: no Trial exists yet that could be told.
            study._storage.set_trial_user_attr(trial._trial_id, FROM_PRIOR_KEY, from_prior)  # noqa: SLF001
            trial.user_attrs[FROM_PRIOR_KEY] = from_prior
        self._member.before_trial(study, trial)

    def probability(self, study: Study) -> float:
        """Return the probability that the next trial comes from the prior."""
        known = sum(_has_told(trial) for trial in study.get_trials(deepcopy=False))
        return min(1.0, self._strength / max(known, 1))

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return nothing for a trial from the prior, whose parameters are independent, else ask the sampler."""
        return {} if _is_from_prior(trial) else self._member.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return nothing for a trial from the prior, else ask the sampler."""
        return {} if _is_from_prior(trial) else self._member.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - Optuna's own signature
        """Draw from the prior, or ask the sampler."""
        if not _is_from_prior(trial):
            return self._member.sample_independent(study, trial, param_name, param_distribution)
        if param_name in self._priors:
            rng = generator(self._seed, *trial_keys(trial), param_name)
            return self._priors[param_name].draw(param_distribution, rng)
        uniform = RandomSampler(seed=derived_seed(self._seed, *trial_keys(trial), param_name))
        return uniform.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tell the sampler how the trial ended."""
        self._member.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Reseed the sampler; the prior needs none, no two trials share a number."""
        self._member.reseed_rng()


def _is_from_prior(trial: FrozenTrial) -> bool:
    return trial.user_attrs.get(FROM_PRIOR_KEY) is True


def _has_told(trial: FrozenTrial) -> bool:
    """Whether there is something to learn from a trial: it ended well, or has reported a value."""
    if is_rejected(trial):
        return False
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or (
        trial.state == TrialState.RUNNING and bool(trial.intermediate_values)
    )
