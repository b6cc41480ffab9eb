"""Optuna's Gaussian process on values that can be compared, and on no more of them than it can afford."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.samplers._observed import is_infeasible
from search.samplers._population import as_complete, ranked, stands
from search.samplers.views import StudyView

_MOST_REFUSED = 30
"""Newest trials that break a constraint which are fitted."""


class RungGPSampler(GPSampler):
    """A Gaussian process over the trials that reached the highest rung which enough of them reached.

    Optuna's ``GPSampler`` takes COMPLETE trials alone. Under early stopping these are few, and it would stay random
    for most of a sweep. Here trials that ended or are paused count as in the GA: by their values at the highest epoch
    that at least ``n_startup_trials`` of them reached; what did not get there is left out. (The rule is BOHB's: model
    the largest budget with enough observations.) What trains is pending: the acquisition keeps away from it.

    Fitting takes time with the cube of the number of trials. Beyond ``max_trials`` the better half and the newer half
    are kept; Optuna itself has no bound.

    Args:
        max_trials: Most trials to fit.
        n_startup_trials: Random until so many trials stand, whoever suggested them.
        seed: Seed of the fit and of the acquisition.
        independent_sampler: Draws what the model does not cover.

    Source: Optuna's ``GPSampler`` (Matern 5/2, log expected improvement); BOHB, https://arxiv.org/abs/1807.01774,
    section 4.1.
    """

    def __init__(
        self, *, max_trials: int, n_startup_trials: int, seed: int, independent_sampler: BaseSampler | None = None
    ) -> None:
        super().__init__(
            seed=seed,
            independent_sampler=independent_sampler,
            n_startup_trials=n_startup_trials,
            deterministic_objective=False,  # two trainings of one hyp differ
            warn_independent_sampling=False,  # a space that was extended is sampled so, and needs no warning
        )
        self._max_trials = max_trials

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the parameters that all trials which stand have in common."""
        standing = [as_complete(t, 0.0) for t in study.get_trials(deepcopy=False) if stands(t)]
        return super().infer_relative_search_space(StudyView(study, standing), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the point of the best acquisition; nothing before there are enough trials."""
        self._raise_error_if_multi_objective(study)
        maximize = study.direction == StudyDirection.MAXIMIZE
        trials = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        covered = [t for t in trials if stands(t) and search_space.keys() <= t.params.keys()]
        pending = [t for t in trials if t.state == TrialState.RUNNING and not stands(t)]
        fitted = _comparable(covered, self._n_startup_trials, self._max_trials, maximize=maximize)
        refused = [t for t in trials if is_infeasible(t) and search_space.keys() <= t.params.keys()]
        fitted += _as_worst(refused[-_MOST_REFUSED:], fitted, maximize=maximize)
        return super().sample_relative(StudyView(study, [*_alike(fitted), *pending]), trial, search_space)


def _alike(copies: list[FrozenTrial]) -> list[FrozenTrial]:
    """Take constraints away where not all trials have them, as imported ones may not: Optuna models all or none."""
    if len({len(trial.constraints) for trial in copies}) > 1:
        for trial in copies:
            trial.system_attrs = {}
    return copies


def _as_worst(refused: Sequence[FrozenTrial], fitted: Sequence[FrozenTrial], *, maximize: bool) -> list[FrozenTrial]:
    """Return trials that break a constraint with the worst value of those that were trained."""
    values = [trial.values[0] for trial in fitted]
    return [as_complete(t, min(values) if maximize else max(values)) for t in refused] if values else []


def _comparable(trials: Sequence[FrozenTrial], n: int, most: int, *, maximize: bool) -> list[FrozenTrial]:
    """Return trials with the values that they are compared by, the better and the newer half of them, in order."""
    by_number = {trial.number: trial for trial in trials}
    individuals = ranked(trials, n, maximize=maximize)
    if len(individuals) > most:
        best, rest = individuals[: (most + 1) // 2], individuals[(most + 1) // 2 :]
        individuals = best + sorted(rest, key=lambda each: -each.number)[: most // 2]
    sign = 1.0 if maximize else -1.0
    kept = sorted(individuals, key=lambda each: each.number)
    return [as_complete(by_number[each.number], sign * each.fitness) for each in kept]
