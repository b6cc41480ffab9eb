"""The samplers that a sweep's configuration can name, with their options. Adding one is adding a class here.

A name in small letters is a member of ours, with defaults that suit early stopping and resumes; the name of a class
(``NSGAIISampler``) is that sampler of Optuna's, with the options of its constructor (``optuna_members.py``).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import Any, Literal, Self

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, QMCSampler, RandomSampler, TPESampler
from pydantic import Field, model_validator

from search.samplers._bounded import BoundedView
from search.samplers._curves_view import CurvesView
from search.samplers._selection import ParentRule
from search.samplers.cma_es import RungCmaEsSampler
from search.samplers.curve_gp import CurveGPSampler
from search.samplers.gaussian_process import RungGPSampler
from search.samplers.genetic import GeneticSampler
from search.samplers.grid import GridSampler, grid_values
from search.samplers.history import PausedAs
from search.samplers.registry import MemberOptions, Setting, member, quietly, seeded
from search.samplers.seeded import TrialSeededSampler
from search.samplers.several import NSGAOptions, gaussian_process, nsga
from search.samplers.views import SharedView, ViewSampler


@member("ga")
class GAOptions(MemberOptions):
    """Options of the member ``ga``: YOLOv5's classic scheme (``GeneticSampler``)."""

    n_parents: int = Field(default=5, ge=1)
    """How many of the best trials can be parents."""
    parent: ParentRule = "single"
    """``single`` draws one parent by weight, ``weighted`` takes their weighted mean."""

    def build(self, setting: Setting) -> BaseSampler:
        """Return the GA, which starts from the defaults."""
        return GeneticSampler(seed=setting.seed, gains=setting.gains, defaults=setting.start, **self.model_dump())


@member("tpe")
class TPEOptions(MemberOptions):
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
    paused_as: PausedAs = "pruned"
    """What trials that wait at a rung are to it: ``pruned`` there, or ``running``, which it only keeps away from.
    Most of a sweep that pauses waits, so as ``running`` it would stay random for long (docs/search-benchmark.md)."""

    def build(self, setting: Setting) -> BaseSampler:
        """Return TPE."""
        seen = functools.partial(
            BoundedView, bound=self.max_trials, paused=self.paused_as, fewest_ended=self.n_startup_trials
        )
        return seeded(functools.partial(_tpe, self, SharedView(seen)), setting)


@member("curve_gp")
class CurveGPOptions(MemberOptions):
    """Options of the member ``curve_gp``: a Gaussian process over hyps and epochs (``CurveGPSampler``)."""

    n_startup_trials: int = Field(default=4, ge=1)
    """Random until so many trials have a value at a rung, whoever suggested them."""
    max_values: int = Field(default=150, ge=10)
    """About the most values at rungs that are fitted: the time grows with their cube."""
    iterations: int = Field(default=15, ge=1)
    """Steps of the optimizer that fits the model."""

    def build(self, setting: Setting) -> BaseSampler:
        """Return the sampler before a view of as many trials as it could fit."""
        if setting.several_goals:
            raise ValueError("it models one goal, choose gp, tpe, nsga2 or nsga3 for several")
        view = SharedView(functools.partial(CurvesView, bound=2 * self.max_values))
        return ViewSampler(CurveGPSampler(seed=setting.seed, **self.model_dump()), view)


@member("gp")
class GPOptions(MemberOptions):
    """Options of the member ``gp``: Optuna's Gaussian process (``RungGPSampler``). Loads torch in the driver."""

    n_startup_trials: int = Field(default=10, ge=1)
    """Random until so many trials have ended or are paused, whoever suggested them; Optuna's default."""
    max_trials: int = Field(default=200, ge=2)
    """Most trials to fit, the better and the newer half of them: the time grows with their cube. Several goals: all."""

    def build(self, setting: Setting) -> BaseSampler:
        """Return the Gaussian process; for several goals Optuna's own, which aims at the front of COMPLETE trials."""
        if setting.several_goals:
            return gaussian_process(self.n_startup_trials, setting.seed)
        return seeded(functools.partial(_gp, self), setting)


@member("cmaes")
class CmaEsOptions(MemberOptions):
    """Options of the member ``cmaes``: the evolution strategy with covariance matrix (``RungCmaEsSampler``)."""

    start: Literal["default", "middle"] = "default"
    """Where its mean starts: at the starting hyp, or in the middle of the space, as Optuna does."""
    sigma0: float = Field(default=1 / 6, gt=0, le=1)
    """Standard deviation at the start, as a part of each parameter's range; Optuna's default."""
    popsize: int | None = Field(default=None, ge=3)
    """Trials of a generation; None is CMA-ES's rule, 4 + 3 ln(parameters); Optuna's default."""
    n_startup_trials: int = Field(default=1, ge=1)
    """Random until so many trials have ended or are paused, whoever suggested them; Optuna's default."""
    use_separable_cma: bool = False
    """Learn a scale per parameter and no correlations: faster where there are many parameters; Optuna's default."""
    with_margin: bool = False
    """Keep ints from settling on one value too early; Optuna's default."""
    lr_adapt: bool = False
    """Learn slower where results are noisy; Optuna's default."""

    @model_validator(mode="after")
    def _check_variants(self) -> Self:
        chosen = [n for n in ("use_separable_cma", "with_margin", "lr_adapt") if getattr(self, n)]
        if len(chosen) > 1:
            raise ValueError(f"{' and '.join(chosen)} exclude each other, set one of them")
        return self

    def build(self, setting: Setting) -> BaseSampler:
        """Return CMA-ES."""
        return seeded(functools.partial(_cmaes, self, _start(self, setting)), setting)


@member("qmc")
class QMCOptions(MemberOptions):
    """Options of the member ``qmc``: a low-discrepancy sequence, more even than random."""

    qmc_type: Literal["sobol", "halton"] = "sobol"
    """The sequence; Optuna's default."""
    scramble: bool = True
    """Shuffle it by the seed; Optuna's default is False, with which every sweep gets the same points."""

    def build(self, setting: Setting) -> BaseSampler:
        """Return the sequence.

        Its place in the sequence stands in the study, so it repeats without ``TrialSeededSampler``; the first point
        is random. A space that was extended makes it sample independently, which needs no warning.
        """
        random = TrialSeededSampler(RandomSampler, seed=setting.seed)
        options = {**self.model_dump(), "independent_sampler": random, "warn_independent_sampling": False}
        return quietly(QMCSampler, options, setting.seed)


@member("nsga2")
class NSGA2Options(NSGAOptions, MemberOptions):
    """Options of the member ``nsga2``: Optuna's NSGA-II, for several goals."""

    def build(self, setting: Setting) -> BaseSampler:
        """Return NSGA-II."""
        return nsga(NSGAIISampler, self, setting.seed)


@member("nsga3")
class NSGA3Options(NSGAOptions, MemberOptions):
    """Options of the member ``nsga3``: Optuna's NSGA-III, for several goals."""

    def build(self, setting: Setting) -> BaseSampler:
        """Return NSGA-III."""
        return nsga(NSGAIIISampler, self, setting.seed)


@member("random")
class RandomOptions(MemberOptions):
    """The member ``random`` has no options."""

    def build(self, setting: Setting) -> BaseSampler:
        """Return uniform random search."""
        return seeded(RandomSampler, setting)


@member("grid")
class GridOptions(MemberOptions):
    """Options of the member ``grid``: every combination of a few values per parameter, each once (``GridSampler``)."""

    points: int | dict[str, int] = 3
    """Values per numeric parameter, evenly spaced (on a logarithmic scale where the parameter has one), bounds
    included; one number for all, or one by name (3 for what is not named). Categorical ones have their choices."""

    @model_validator(mode="after")
    def _check_points(self) -> Self:
        counts = self.points if isinstance(self.points, dict) else {"": self.points}
        for name, count in counts.items():
            if count < 1:
                raise ValueError(f"points{f'.{name}' if name else ''} is {count}, give at least 1")
        return self

    def build(self, setting: Setting) -> BaseSampler:
        """Return the grid."""
        named = self.points if isinstance(self.points, dict) else dict.fromkeys(setting.distributions, self.points)
        unknown = sorted(named.keys() - setting.distributions.keys())
        if unknown:
            known = ", ".join(setting.distributions)
            raise ValueError(f"points names {', '.join(unknown)}, and the space holds {known}: correct the name")
        return GridSampler(
            {name: grid_values(space, named.get(name, 3)) for name, space in setting.distributions.items()},
            seed=setting.seed,
        )


def _tpe(options: TPEOptions, view: SharedView, seed: int) -> ViewSampler:
    return ViewSampler(quietly(TPESampler, options.model_dump(exclude={"max_trials", "paused_as"}), seed), view)


def _gp(options: GPOptions, seed: int) -> RungGPSampler:
    return RungGPSampler(seed=seed, independent_sampler=RandomSampler(seed=seed), **options.model_dump())


def _cmaes(options: CmaEsOptions, x0: Mapping[str, Any] | None, seed: int) -> RungCmaEsSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # with_margin, lr_adapt, use_separable_cma
        warnings.simplefilter("ignore", FutureWarning)  # x0 and sigma0 go in Optuna 6
        return RungCmaEsSampler(
            **options.model_dump(exclude={"start"}),
            x0=x0,
            seed=seed,
            independent_sampler=RandomSampler(seed=seed),
        )


def _start(options: CmaEsOptions, setting: Setting) -> Mapping[str, Any] | None:
    """Where CMA-ES starts; where it needs a number that is not there, it takes the middle of the space."""
    return dict(setting.start) if options.start == "default" and setting.start else None
