"""The registry of members: their options by name, and what a member is built for and with.

It is filled by :mod:`search.samplers.members`, then by :mod:`search.samplers.optuna_members`.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler

from data_prep.validation import FrozenModel
from search.samplers.seeded import TrialSeededSampler


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a member is built for.

    Attributes:
        seed: The member's own seed.
        distributions: What is searched, by name.
        gains: Mutation gains of the GA, by name.
        start: Where the search starts, by name; may be incomplete.
        several_goals: Whether the study has more than one.
    """

    seed: int
    distributions: Mapping[str, BaseDistribution]
    gains: Mapping[str, float]
    start: Mapping[str, Any]
    several_goals: bool = False


class MemberOptions(FrozenModel):
    """Options of a member, as they stand in the YAML."""

    @abstractmethod
    def build(self, setting: Setting) -> BaseSampler:
        """Return the sampler.

        Raises:
            ValueError: Optuna refuses the options.
            InputError: They do not suit what is searched.
        """


MEMBERS: dict[str, type[MemberOptions]] = {}
"""Options by the name of the member, in the order that a portfolio has its members in."""

_OptionsT = TypeVar("_OptionsT", bound=MemberOptions)


def member(name: str) -> Callable[[type[_OptionsT]], type[_OptionsT]]:
    """Register a class of options under the name of its member."""

    def register(options: type[_OptionsT]) -> type[_OptionsT]:
        MEMBERS[name] = options
        return options

    return register


def seeded(make: Callable[[int], BaseSampler], setting: Setting) -> TrialSeededSampler:
    """Return a sampler of Optuna's without a random stream of its own, once it is known that it can be made."""
    make(0)
    return TrialSeededSampler(make, seed=setting.seed)


_SamplerT = TypeVar("_SamplerT", bound=BaseSampler)


def quietly(sampler: Callable[..., _SamplerT], options: Mapping[str, Any], seed: int) -> _SamplerT:
    """Make a sampler of which Optuna says with each instance that it, or an option, is experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return sampler(**options, seed=seed)
