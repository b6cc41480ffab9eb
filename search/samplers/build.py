"""From names and options in a sweep's configuration to the sampler of its study."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from optuna.samplers import BaseSampler
from pydantic import Field, SerializeAsAny, ValidationError, create_model, field_validator

from data_prep.errors import InputError
from data_prep.validation import FrozenModel, describe
from search.priors import Prior
from search.samplers import optuna_members
from search.samplers._rng import derived_seed
from search.samplers.allocation import AllocationName, CreditOptions, allocation
from search.samplers.members import CurveGPOptions, TPEOptions
from search.samplers.portfolio import PortfolioSampler
from search.samplers.prior import STRENGTH, PriorSampler
from search.samplers.registry import MEMBERS, MemberOptions, Setting
from search.samplers.several import FrontSampler
from search.space import Space

FINITE = ("grid", "BruteForceSampler")
"""Members that come to an end."""
WITHOUT_PRIOR = ("ga", *FINITE)
"""Members that priors do not reach: the GA starts from the default anyway, and a grid is complete or no grid."""

optuna_members.register()  # after ours, which are listed first

_Named = create_model(  # type: ignore[call-overload]  # the fields are known when this runs
    "_Named", __base__=FrozenModel, **{name: (options | None, None) for name, options in MEMBERS.items()}
)


class SamplerConfig(FrozenModel):
    """The ``sampler`` part of a sweep's configuration."""

    members: dict[str, SerializeAsAny[MemberOptions]] = Field(
        default_factory=lambda: dict[str, MemberOptions](curve_gp=CurveGPOptions(), tpe=TPEOptions())
    )
    """Members with their options; a plain list of names takes the defaults."""
    allocation: AllocationName = "even"
    """Who suggests the next trial."""
    credit: CreditOptions = CreditOptions()
    """Options of the allocation ``credit``."""
    prior_strength: float = Field(default=STRENGTH, ge=0, allow_inf_nan=False)
    """How many trials the priors of the space are worth, 0 = they are not used; the GA starts from the default."""

    @property
    def names(self) -> tuple[str, ...]:
        """The members that are named."""
        return tuple(self.members)

    @field_validator("members", mode="before")
    @classmethod
    def _read_members(cls, members: Any) -> Any:  # noqa: ANN401 - whatever stands in the YAML
        """Take ``[ga, tpe]`` for ``{ga: {}, tpe: {}}``, and an empty entry (``ga:``) for defaults."""
        if isinstance(members, list | tuple):
            members = {str(name): {} for name in members}
        if not isinstance(members, Mapping):
            return members
        given = {name: {} if options is None else options for name, options in members.items()}
        _check_names(given)
        named = _Named.model_validate(given)
        # In the order of the registry: which of two lists of the same names is given makes no difference.
        return {name: getattr(named, name) for name in MEMBERS if name in named.model_fields_set}


def build_sampler(
    config: SamplerConfig | Mapping[str, Any],
    space: Space,
    seed: int,
    *,
    defaults: Mapping[str, Any] | None = None,
    priors: Mapping[str, Prior] | None = None,
    several_goals: bool = False,
) -> PortfolioSampler:
    """Return the portfolio that a sweep's ``sampler`` configuration describes, of one member or several.

    Each member gets a seed of its own, made of ``seed`` and its name, so that adding a member does not change
    what the others draw.

    Args:
        config: ``{"members": ["ga", "tpe"] or {"ga": {options}, ...}, "allocation": "even" or "credit"}``.
        space: What is searched; gains and defaults of the GA come from here.
        seed: Whole number from 0 up.
        defaults: Where GA and CMA-ES start instead, such as ``space.starts(base)``.
        priors: What is believed beforehand, such as ``space.priors(defaults)``; all members but those in
            ``WITHOUT_PRIOR`` draw from it at first.
        several_goals: Whether the study has more than one.

    Raises:
        InputError: An unknown member, option or value, or a negative seed.
    """
    if not isinstance(config, SamplerConfig):
        config = _validated(config)
    start = space.defaults() if defaults is None else defaults
    searched = {name: d for name, d in space.distributions().items() if name in space.gains()}
    setting = functools.partial(
        Setting, distributions=searched, gains=space.gains(), start=start, several_goals=several_goals
    )
    members = {
        name: _with_prior(
            config, seed, priors or {}, name, _member(name, options, setting(seed=derived_seed(seed, name)))
        )
        for name, options in config.members.items()
    }
    if several_goals:
        ((name, sampler),) = members.items()
        return FrontSampler(name, sampler, seed=seed)
    return PortfolioSampler(members, seed=seed, allocation=allocation(config.allocation, config.credit))


def _with_prior(
    config: SamplerConfig, seed: int, priors: Mapping[str, Prior], name: str, member: BaseSampler
) -> BaseSampler:
    if not priors or not config.prior_strength or name in WITHOUT_PRIOR:
        return member
    return PriorSampler(member, priors, strength=config.prior_strength, seed=derived_seed(seed, name, "prior"))


def _member(name: str, options: MemberOptions, setting: Setting) -> BaseSampler:
    try:
        return options.build(setting)
    except (ValueError, InputError) as error:
        raise InputError(f"sampler.members.{name}: {str(error).rstrip('.')}.") from error


def _check_names(members: Mapping[Any, Any]) -> None:
    """Refuse names that are no members and options that a member has not, with those that are there."""
    if not members:
        raise ValueError(f"no sampler is named: choose from {', '.join(MEMBERS)}")
    for name, options in members.items():
        if name in optuna_members.REFUSED:
            raise ValueError(f"{name} is no member: {optuna_members.REFUSED[name]}")
        if name not in MEMBERS:
            near = get_close_matches(str(name), MEMBERS, n=1)
            hint = f"did you mean `{near[0]}`? " if near else ""
            raise ValueError(f"there is no sampler {name!r}: {hint}choose from {', '.join(MEMBERS)}")
        known = MEMBERS[name].model_fields
        strange = [key for key in options if key not in known] if isinstance(options, Mapping) else []
        if strange:
            has = f"choose from {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{name} has no option `{strange[0]}`: {has}")


def _validated(config: Mapping[str, Any]) -> SamplerConfig:
    try:
        return SamplerConfig.model_validate(config)
    except ValidationError as error:
        raise InputError(f"sampler: {describe(error, config, SamplerConfig)}") from error
