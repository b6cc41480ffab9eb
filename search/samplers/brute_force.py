"""Optuna's exhaustive search under ask and tell: it says when it is at its end instead of stopping the study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BruteForceSampler, RandomSampler
from optuna.samplers._brute_force import _TreeNode
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


class FiniteBruteForceSampler(BruteForceSampler):
    """``BruteForceSampler`` that never calls ``study.stop()``, an error there, and draws trials not yet stored.

    The tree of what was tried is Optuna's.
    """

    def exhausted(self, study: Study) -> bool:
        """Whether every combination was started, whoever suggested it."""
        tree = _TreeNode()
        self._populate_tree(tree, _started(study), {})
        return not tree.is_any_expandable(not self._avoid_premature_stop)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - Optuna's own signature
        """Return a value from which something untried can be reached, else a random one.

        Optuna's own looks for the trial among the stored ones, where a draft is not.
        """
        skip_running = not self._avoid_premature_stop
        tree = _TreeNode()
        # Before the trials are filled in, or a trial without parameters would make the root a leaf.
        tree.expand(param_name, _range(param_distribution))
        self._populate_tree(tree, [t for t in _started(study) if t.number != trial.number], trial.params)
        if tree.is_any_expandable(skip_running):
            return param_distribution.to_external_repr(tree.sample_child(self._rng.rng, skip_running))
        random = RandomSampler(seed=int(self._rng.rng.randint(2**31)))
        return random.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Do nothing: :meth:`exhausted` is asked before the next trial."""


def _started(study: Study) -> list[FrozenTrial]:
    return [t for t in study.get_trials(deepcopy=False) if t.params and t.state != TrialState.WAITING]


def _range(distribution: BaseDistribution) -> tuple[Any, Any, Any]:
    """Return low, high and step, as Optuna's tree takes them; of choices their indices."""
    if isinstance(distribution, CategoricalDistribution):
        return 0, len(distribution.choices) - 1, 1
    if isinstance(distribution, FloatDistribution | IntDistribution):
        return distribution.low, distribution.high, distribution.step
    raise TypeError(f"Optuna defines no distribution {distribution!r}.")
