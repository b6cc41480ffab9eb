"""YOLOv5's classic genetic algorithm as an Optuna sampler."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from data_prep.errors import InputError
from search.samplers._genes import Gene, contains
from search.samplers._mutation import mutate, mutate_once
from search.samplers._parents_view import ParentsView
from search.samplers._population import Individual, ranked, stands
from search.samplers._rng import base_seed, derived_seed, generator, trial_keys
from search.samplers._selection import ParentRule, chosen, parent_genes
from search.samplers.views import SharedView


class GeneticSampler(BaseSampler):
    """Takes one of the best trials (or their weighted mean) and multiplies its genes by factors near 1.

    The scheme of YOLOv5's ``train.py --evolve``, on any single-objective Optuna study, without generations: each
    suggestion starts from the trials that stand at that moment, whoever suggested them.

    - Parents are COMPLETE and PRUNED trials, and RUNNING ones that are paused at a rung (user attribute ``paused``).
      The best ``n_parents`` are kept; trials that stand at different steps are compared at the highest step that at
      least ``n_parents`` of them reached, each by its value there. What trains is no parent.
    - Floats are rounded to 5 decimals and clipped, as in YOLOv5 (to 5 significant digits where 5 decimals would
      flatten the range). Ints and floats with a step go to a neighbouring legal value by lot. A categorical takes
      another choice with probability 0.16 * gain.
    - A float or int that is 0 stays 0, and no number changes its sign: the classic scheme multiplies.
    - A parameter that the parent lacks (conditional spaces) comes from the best trials that have it, else from
      its default, mutated, else at random.
    - Before there is a parent, the first trial gets the defaults and later ones mutated defaults; without
      defaults they are random.

    What it looks at of a study is its best trials, kept at hand (``ParentsView``): a suggestion costs the same after
    ten trials and after ten thousand. That is a cache of the study. The only state is the seed: each trial's random
    stream is made from ``(seed, trial.number)``, so a resumed sweep goes on as it would have, and parallel workers
    never share a stream.

    Args:
        seed: Whole number from 0 up; None takes a fresh one.
        gains: Mutation gain by parameter name, 0 = never mutates; 1 where a name is missing.
        defaults: Where the search starts, by parameter name; may be incomplete.
        n_parents: How many of the best trials can be parents (``n`` in YOLOv5).
        parent: ``single`` draws one parent by its weight ``fitness - min + 1e-6``; ``weighted`` takes the mean of
            all with these weights.

    Raises:
        InputError: A negative seed or gain, ``n_parents`` below 1, or an unknown ``parent``.

    Source: https://github.com/ultralytics/yolov5 ``train.py``, "Evolve hyperparameters".

    Example:
        >>> import optuna
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> study = optuna.create_study(sampler=GeneticSampler(seed=0, defaults={"x": 2.0}))
        >>> study.optimize(lambda trial: trial.suggest_float("x", 0.0, 10.0) ** 2, n_trials=3)
        >>> study.trials[0].params
        {'x': 2.0}
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        gains: Mapping[str, float] | None = None,
        defaults: Mapping[str, Any] | None = None,
        n_parents: int = 5,
        parent: ParentRule = "single",
    ) -> None:
        if n_parents < 1:
            raise InputError(f"n_parents is {n_parents}: give at least 1 (YOLOv5 takes 5).")
        if parent not in get_args(ParentRule):
            raise InputError(f"parent is {parent!r}: choose one of {', '.join(get_args(ParentRule))}.")
        for name, gain in (gains or {}).items():
            if not 0 <= gain < float("inf"):
                raise InputError(f"The gain {gain} of {name} is no finite number from 0 up: 0 switches mutation off.")
        self._seed = base_seed(seed)
        self._gains = dict(gains or {})
        self._defaults = dict(defaults or {})
        self._n_parents = n_parents
        self._parent: ParentRule = parent
        self._view = SharedView(functools.partial(ParentsView, n_parents=n_parents))

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the distributions of the parent's genes, in order of name.

        Not the intersection over all trials, as other samplers take: a child inherits the genes of the branch of
        a conditional space that its parent stood in.
        """
        self._raise_error_if_multi_objective(study)
        trials = self._view.sample(study).get_trials(deepcopy=False)
        parents = self._best(study, trials)
        if parents and self._parent == "single":
            parents = [chosen(parents, self._stream(trial))]
        names = {name for parent in parents for name in parent.params} if parents else set(self._defaults)
        return _newest_distributions(trials, names)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a child: a legal value for every name in ``search_space``."""
        self._raise_error_if_multi_objective(study)
        trials = self._view.sample(study).get_trials(deepcopy=False)
        parents = self._best(study, trials)
        space = dict(sorted(search_space.items()))  # the stream must not depend on the order of declaration
        rng = self._stream(trial)
        start = parent_genes(parents, space, self._parent, rng) if parents else self._legal_defaults(space)
        is_new = not parents and not self._default_is_tried(trials, trial)
        child = start if is_new else mutate(self._genes(start, space), rng)
        missing = {name: distribution for name, distribution in space.items() if name not in child}
        return child | {
            name: self.sample_independent(study, trial, name, distribution) for name, distribution in missing.items()
        }

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - Optuna's own signature
        """Return a value for one parameter that the parent of the child does not have."""
        self._raise_error_if_multi_objective(study)
        trials = self._view.sample(study, param_name, param_distribution).get_trials(deepcopy=False)
        space = {param_name: param_distribution}
        rng = self._stream(trial, param_name)
        holders = self._best(study, trials, space)
        if holders:
            start = parent_genes(holders, space, self._parent, rng)
            return mutate_once(self._genes(start, space), rng)[0][param_name]
        start = self._legal_defaults(space)
        if not start:
            random = RandomSampler(seed=derived_seed(self._seed, *trial_keys(trial), param_name))
            return random.sample_independent(study, trial, param_name, param_distribution)
        if self._default_is_tried(trials, trial):
            start = mutate_once(self._genes(start, space), rng)[0]
        return start[param_name]

    def reseed_rng(self) -> None:
        """Do nothing: workers cannot repeat each other's numbers, because no two trials share a number."""

    def _best(
        self, study: Study, trials: Sequence[FrozenTrial], space: Mapping[str, BaseDistribution] | None = None
    ) -> list[Individual]:
        """Return the best ``n_parents`` trials, of those with a legal value for all of ``space`` if it is given."""
        standing = [trial for trial in trials if stands(trial)]
        individuals = ranked(standing, self._n_parents, maximize=study.direction == StudyDirection.MAXIMIZE)
        if space is not None:
            individuals = [individual for individual in individuals if _has(individual, space)]
        return individuals[: self._n_parents]

    def _genes(self, values: Mapping[str, Any], space: Mapping[str, BaseDistribution]) -> list[Gene]:
        return [Gene(name, value, space[name], self._gains.get(name, 1.0)) for name, value in values.items()]

    def _legal_defaults(self, space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
        # To Optuna's form and back, or a default of 1 would leave an int in a float parameter.
        return {
            name: distribution.to_external_repr(distribution.to_internal_repr(self._defaults[name]))
            for name, distribution in space.items()
            if name in self._defaults and contains(distribution, self._defaults[name])
        }

    def _default_is_tried(self, trials: Sequence[FrozenTrial], trial: FrozenTrial) -> bool:
        """Whether an earlier trial, in whatever state, holds the defaults (or is enqueued with them)."""
        return any(_holds(earlier, self._defaults) for earlier in trials if earlier.number < trial.number)

    def _stream(self, trial: FrozenTrial, *keys: str) -> np.random.Generator:
        return generator(self._seed, *trial_keys(trial), *keys)


def _newest_distributions(trials: Sequence[FrozenTrial], names: set[str]) -> dict[str, BaseDistribution]:
    """Return the latest distribution of each name: a sweep may have been extended with a wider space."""
    found: dict[str, BaseDistribution] = {}
    for trial in reversed(trials):
        if len(found) == len(names):
            break
        for name in (names & trial.distributions.keys()) - found.keys():
            found[name] = trial.distributions[name]
    return {name: found[name] for name in sorted(found) if not found[name].single()}


def _has(individual: Individual, space: Mapping[str, BaseDistribution]) -> bool:
    return all(
        name in individual.params and contains(distribution, individual.params[name])
        for name, distribution in space.items()
    )


def _holds(trial: FrozenTrial, defaults: Mapping[str, Any]) -> bool:
    """Whether all of the trial's values that have a default are that default, and there is one."""
    values = trial.system_attrs.get("fixed_params", {}) | trial.params
    common = values.keys() & defaults.keys()
    return bool(common) and all(values[name] == defaults[name] for name in common)
