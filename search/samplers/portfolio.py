"""Several samplers on one study: each trial has one author, and everyone learns from everyone's trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from data_prep.errors import InputError
from search.samplers._rng import base_seed
from search.samplers.allocation import Allocation, EvenAllocation
from search.samplers.finite import is_exhausted
from search.samplers.keys import AUTHOR_KEY


class PortfolioSampler(BaseSampler):
    """Lets named members take turns on one study.

    The author of a trial is drawn once, before the trial's first parameter, and stored with it as the user
    attribute ``sampler``. An author that is already there (a restart, an enqueued trial) stays. Members read
    the whole study, so each learns from the others' trials as far as it can. A member that has nothing more to
    suggest (a grid) is left out, unless no other has.

    Args:
        members: Samplers by name, in order; any Optuna sampler.
        seed: Seed of the draw of authors, from 0 up; None takes a fresh one.
        allocation: Who comes next; evenly if not given.

    Raises:
        InputError: No members, a name that is no plain text, or a member that is no sampler.

    Source: Vizier's ensemble designer (named members, one history); Optuna's ``PartialFixedSampler`` (a sampler
    that forwards every hook).
    """

    def __init__(
        self,
        members: Mapping[str, BaseSampler],
        *,
        seed: int | None = None,
        allocation: Allocation | None = None,
    ) -> None:
        _check_members(members)
        self._members = dict(members)
        self._seed = base_seed(seed)
        self._allocation: Allocation = EvenAllocation() if allocation is None else allocation

    @property
    def members(self) -> Mapping[str, BaseSampler]:
        """The members by name (a copy)."""
        return dict(self._members)

    def author_of(self, study: Study, trial: FrozenTrial) -> str:
        """Return the name of the member that suggests ``trial``: the one stored with it, else the one drawn.

        Raises:
            InputError: The allocation chose a name that is no member.
        """
        stored = trial.user_attrs.get(AUTHOR_KEY)
        if stored in self._members:
            return str(stored)
        name = self._allocation.author(self._open(study), study, trial.number, self._seed)
        if name not in self._members:
            raise InputError(f"The allocation chose {name!r}, but the members are {', '.join(self._members)}.")
        return name

    def exhausted(self, study: Study) -> bool:
        """Whether no member has anything more to suggest; asked for more, they begin again."""
        return all(is_exhausted(member, study) for member in self._members.values())

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Draw and store the author, then let it prepare itself."""
        self._raise_error_if_multi_objective(study)
        author = self.author_of(study, trial)
        if AUTHOR_KEY not in trial.user_attrs:
            # The public Trial.set_user_attr does these two steps. No Trial exists yet: this hook is called from
            # within its constructor.
            study._storage.set_trial_user_attr(trial._trial_id, AUTHOR_KEY, author)  # noqa: SLF001
            trial.user_attrs[AUTHOR_KEY] = author
        self._members[author].before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Ask the author."""
        self._raise_error_if_multi_objective(study)
        return self._author(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Ask the author; what it leaves out (TPE and GP do at their start) it samples independently.

        Optuna would ask for those later in the same way. Here they come at once, so that a portfolio keeps the
        contract of a relative sampler, whichever member it asks.
        """
        self._raise_error_if_multi_objective(study)
        author = self._author(study, trial)
        params = author.sample_relative(study, trial, search_space)
        missing = {name: space for name, space in search_space.items() if name not in params}
        return params | {
            name: author.sample_independent(study, trial, name, distribution) for name, distribution in missing.items()
        }

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - Optuna's own signature
        """Ask the author."""
        self._raise_error_if_multi_objective(study)
        return self._author(study, trial).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tell the author how its trial ended."""
        self._author(study, trial).after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Reseed every member; the draw of authors needs none, it comes from the trial's number."""
        for member in self._members.values():
            member.reseed_rng()

    def _open(self, study: Study) -> tuple[str, ...]:
        """Return the members to choose from, in their order."""
        with_more = tuple(name for name, member in self._members.items() if not is_exhausted(member, study))
        return with_more or tuple(self._members)

    def _author(self, study: Study, trial: FrozenTrial) -> BaseSampler:
        return self._members[self.author_of(study, trial)]


def _check_members(members: Mapping[str, BaseSampler]) -> None:
    if not members:
        raise InputError('A portfolio without members suggests nothing: name at least one, such as {"ga": ...}.')
    for name, member in members.items():
        if not isinstance(name, str) or not name.strip() or name != name.strip():
            raise InputError(f"{name!r} is no name for a member: give a text without blanks around it.")
        if not isinstance(member, BaseSampler):
            raise InputError(f"The member {name} is a {type(member).__name__}: give an Optuna sampler.")
