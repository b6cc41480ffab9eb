"""From names and options in a sweep's configuration to the sampler of its study."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import Any, Literal

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, QMCSampler, RandomSampler, TPESampler
from pydantic import Field, ValidationError, field_validator

from data_prep.errors import InputError
from data_prep.validation import FrozenModel, describe
from search.priors import Prior
from search.samplers._bounded import BoundedView
from search.samplers._rng import derived_seed
from search.samplers._selection import ParentRule
from search.samplers.allocation import Allocation, EvenAllocation
from search.samplers.genetic import GeneticSampler
from search.samplers.history import PausedAs
from search.samplers.portfolio import PortfolioSampler
from search.samplers.prior import STRENGTH, PriorSampler
from search.samplers.seeded import TrialSeededSampler
from search.samplers.several import FrontSampler, NSGAOptions, gaussian_process, nsga
from search.samplers.views import SharedView, ViewSampler
from search.space import Space

WITHOUT_PRIOR = ("ga", "grid")
"""Members that priors do not reach: the GA starts from the default anyway, and a grid is complete or no grid."""


class GAOptions(FrozenModel):
    """Options of the member ``ga``: YOLOv5's classic scheme (``GeneticSampler``)."""

    n_parents: int = Field(default=5, ge=1)
    """How many of the best trials can be parents."""
    parent: ParentRule = "single"
    """``single`` draws one parent by weight, ``weighted`` takes their weighted mean."""


class TPEOptions(FrozenModel):
    """Options of the member ``tpe``: Optuna's Tree-structured Parzen Estimator."""

    n_startup_trials: int = Field(default=10, ge=0)
    """Random until so many trials of the study have finished, whoever suggested them; Optuna's default."""
    n_ei_candidates: int = Field(default=24, ge=1)
    """Candidates per suggestion; Optuna's default."""
    multivariate: bool = True
    """Model parameters jointly; Optuna's default for one objective since 5.0 (False before)."""
    group: bool = False
    """Model the branches of a conditional space apart; Optuna calls it experimental."""
    constant_liar: bool = True
    """Keep away from what is running; Optuna's default since 5.0 (False before). Sweeps run in parallel."""
    max_trials: int = Field(default=300, ge=1)
    """Most trials that are modelled, 266 at least: the best 25 and a fixed sample of all others; see decision 25."""
    paused_as: PausedAs = "running"
    """What trials that wait at a rung are to it: ``running``, which it keeps away from, or ``pruned`` there."""


class RandomOptions(FrozenModel):
    """The member ``random`` has no options."""


class QMCOptions(FrozenModel):
    """Options of the member ``qmc``: a low-discrepancy sequence, more even than random."""

    qmc_type: Literal["sobol", "halton"] = "sobol"
    """The sequence; Optuna's default."""
    scramble: bool = True
    """Shuffle it by the seed; Optuna's default is False, with which every sweep gets the same points."""


class GPOptions(FrozenModel):
    """Options of the member ``gp``."""

    n_startup_trials: int = Field(default=10, ge=1)
    """Random until so many trials are COMPLETE; Optuna's default."""


class MemberOptions(FrozenModel):
    """Which samplers take part; a member is there if it is named."""

    ga: GAOptions | None = None
    """YOLOv5's genetic algorithm."""
    tpe: TPEOptions | None = None
    """Optuna's TPE."""
    random: RandomOptions | None = None
    """Uniform random search."""
    qmc: QMCOptions | None = None
    """Quasi-random search."""
    nsga2: NSGAOptions | None = None
    """Optuna's NSGA-II, for several goals."""
    nsga3: NSGAOptions | None = None
    """Optuna's NSGA-III, for several goals."""
    gp: GPOptions | None = None
    """Optuna's Gaussian process."""


class SamplerConfig(FrozenModel):
    """The ``sampler`` part of a sweep's configuration."""

    members: MemberOptions = MemberOptions(ga=GAOptions(), tpe=TPEOptions())
    """Members with their options; a plain list of names takes the defaults."""
    allocation: Literal["even"] = "even"
    """Who suggests the next trial."""
    prior_strength: float = Field(default=STRENGTH, ge=0, allow_inf_nan=False)
    """How many trials the priors of the space are worth, 0 = they are not used; the GA starts from the default."""

    @property
    def names(self) -> tuple[str, ...]:
        """The members that are named."""
        return tuple(n for n in MemberOptions.model_fields if getattr(self.members, n) is not None)

    @field_validator("members", mode="before")
    @classmethod
    def _accept_names(cls, members: Any) -> Any:  # noqa: ANN401 - whatever stands in the YAML
        """Take ``[ga, tpe]`` for ``{ga: {}, tpe: {}}``, and an empty entry (``ga:``) for defaults."""
        if isinstance(members, list | tuple):
            return {str(name): {} for name in members}
        if isinstance(members, Mapping):
            return {name: {} if options is None else options for name, options in members.items()}
        return members

    @field_validator("members")
    @classmethod
    def _check_members(cls, members: MemberOptions) -> MemberOptions:
        if not members.model_fields_set:
            raise ValueError(f"no sampler is named: choose from {', '.join(MemberOptions.model_fields)}")
        return members


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
        config: ``{"members": ["ga", "tpe"] or {"ga": {options}, ...}, "allocation": "even"}``.
        space: Gains and defaults of the GA come from here.
        seed: Whole number from 0 up.
        defaults: Where the GA starts instead, such as ``space.starts(base)``.
        priors: What is believed beforehand, such as ``space.priors(defaults)``; all members but those in
            ``WITHOUT_PRIOR`` draw from it at first.
        several_goals: Whether the study has more than one.

    Raises:
        InputError: An unknown member, option or value, or a negative seed.
    """
    if not isinstance(config, SamplerConfig):
        config = _validated(config)
    named = {name: getattr(config.members, name) for name in config.members.model_fields_set}
    start = space.defaults() if defaults is None else defaults
    believes = functools.partial(_with_prior, config, seed, priors or {})
    members = {
        name: believes(name, _member(name, named[name], space.gains(), start, derived_seed(seed, name)))
        for name in MemberOptions.model_fields  # the order of the class: that of a set differs between processes
        if named.get(name) is not None
    }
    if several_goals:
        ((name, sampler),) = members.items()
        return FrontSampler(name, sampler, seed=seed)
    return PortfolioSampler(members, seed=seed, allocation=_allocation(config.allocation))


def _member(
    name: str, options: FrozenModel, gains: Mapping[str, float], defaults: Mapping[str, Any], seed: int
) -> BaseSampler:
    match options:
        case GAOptions():
            return GeneticSampler(seed=seed, gains=gains, defaults=defaults, **options.model_dump())
        case TPEOptions():
            seen = functools.partial(
                BoundedView,
                bound=options.max_trials,
                paused=options.paused_as,
                fewest_ended=options.n_startup_trials,
            )
            return TrialSeededSampler(functools.partial(_tpe, options, SharedView(seen)), seed=seed)
        case QMCOptions():
            # Its place in the sequence stands in the study, so it repeats without TrialSeededSampler; the first
            # point is random. A space that was extended makes it sample independently, which needs no warning.
            return _qmc(options, seed)
        case NSGAOptions():
            return nsga(NSGAIISampler if name == "nsga2" else NSGAIIISampler, options, seed)
        case GPOptions():
            return gaussian_process(options.n_startup_trials, seed)
        case _:
            return TrialSeededSampler(RandomSampler, seed=seed)


def _with_prior(
    config: SamplerConfig, seed: int, priors: Mapping[str, Prior], name: str, member: BaseSampler
) -> BaseSampler:
    if not priors or not config.prior_strength or name in WITHOUT_PRIOR:
        return member
    return PriorSampler(member, priors, strength=config.prior_strength, seed=derived_seed(seed, name, "prior"))


def _tpe(options: TPEOptions, view: SharedView, seed: int) -> ViewSampler:
    with warnings.catch_warnings():
        # ``group`` is announced as experimental with each instance, and here each trial makes one.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return ViewSampler(TPESampler(seed=seed, **options.model_dump(exclude={"max_trials", "paused_as"})), view)


def _qmc(options: QMCOptions, seed: int) -> QMCSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna calls the whole sampler so
        return QMCSampler(
            **options.model_dump(),
            seed=seed,
            independent_sampler=TrialSeededSampler(RandomSampler, seed=seed),
            warn_independent_sampling=False,
        )


def _allocation(name: Literal["even"]) -> Allocation:
    return {"even": EvenAllocation}[name]()


def _validated(config: Mapping[str, Any]) -> SamplerConfig:
    try:
        return SamplerConfig.model_validate(config)
    except ValidationError as error:
        raise InputError(f"sampler: {describe(error, config, SamplerConfig)}") from error
