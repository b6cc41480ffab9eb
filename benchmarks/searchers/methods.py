"""The methods by name: peers, what the benchmark recommends, and every part of it measured alone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from optuna.pruners import HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, TPESampler

from benchmarks.searchers import evolve, peers
from benchmarks.searchers.ours import Options, Ours
from benchmarks.searchers.simulate import Hyp, Searcher
from benchmarks.searchers.space import EPOCHS, GAINS
from search.priors import Prior
from search.samplers import GeneticSampler, PortfolioSampler, TrialSeededSampler
from search.samplers._rng import derived_seed
from search.samplers.allocation import CreditAllocation
from search.samplers.curve_gp import CurveGPSampler
from search.samplers.prior import PriorSampler

Make = Callable[[Hyp, int, int], Searcher]
"""Builds a searcher from the hyp that it starts from, a seed, and the budget in epochs."""
MakeSampler = Callable[[int, Hyp], BaseSampler]


def ga(seed: int, start: Hyp) -> BaseSampler:
    return GeneticSampler(seed=derived_seed(seed, "ga"), gains=GAINS, defaults=start)


def tpe(seed: int, start: Hyp, **options: Any) -> BaseSampler:  # noqa: ARG001 - one signature for all
    chosen = {"multivariate": True, "constant_liar": True, "n_startup_trials": 10, **options}
    make = functools.partial(_tpe, **chosen)
    return TrialSeededSampler(make, seed=derived_seed(seed, "tpe"))


def _tpe(seed: int, **options: Any) -> BaseSampler:
    return TPESampler(seed=seed, **options)  # type: ignore[arg-type]


def curve_gp(seed: int, start: Hyp, **options: Any) -> BaseSampler:  # noqa: ARG001 - one signature for all
    return CurveGPSampler(seed=derived_seed(seed, "curve_gp"), **options)


def portfolio_of(members: Mapping[str, MakeSampler], seed: int, start: Hyp, *, credit: bool = False) -> BaseSampler:
    allocation = CreditAllocation() if credit else None
    return PortfolioSampler({n: m(seed, start) for n, m in members.items()}, seed=seed, allocation=allocation)


def believed(sampler: MakeSampler, seed: int, start: Hyp) -> BaseSampler:
    """A sampler with the product's prior around the start."""
    priors = {name: Prior(value) for name, value in start.items()}
    return PriorSampler(sampler(seed, start), priors, seed=derived_seed(seed, "prior"))


def ours(sampler: MakeSampler, **options: Any) -> Make:
    return lambda start, seed, budget: Ours(Options(sampler, **options), start, seed)  # noqa: ARG005


def alone(make: Callable[[Hyp, int], Searcher]) -> Make:
    """A method that need not know the budget."""
    return lambda start, seed, _: make(start, seed)


def _population(start: Hyp, seed: int, budget: int) -> Searcher:
    return evolve.Sequential(evolve.population(start, seed, generations=max(1, budget // (50 * EPOCHS))))


def _hyperband(start: Hyp, seed: int) -> Searcher:
    return peers.OptunaStudy(TPESampler(seed=seed), HyperbandPruner(1, EPOCHS, 3), start)


def _gp(start: Hyp, seed: int) -> Searcher:
    return peers.OptunaStudy(GPSampler(seed=seed, deterministic_objective=False), NopPruner(), start)


PEERS: dict[str, Make] = {
    "classic": alone(lambda start, seed: evolve.Sequential(evolve.classic(start, seed))),
    "population": _population,
    "random": alone(evolve.Random),
    "one_epoch_first": alone(evolve.OneEpochFirst),
    "ray_optuna_asha": alone(peers.RayOptuna),
    "ray_optuna_asha_3_3": alone(functools.partial(peers.RayOptuna, grace_period=3, reduction_factor=3)),
    "optuna_tpe_hyperband": alone(_hyperband),
    "optuna_tpe": alone(lambda start, seed: peers.OptunaStudy(TPESampler(seed=seed), NopPruner(), start)),
    "optuna_gp": alone(_gp),
    "syne_asha": alone(functools.partial(peers.SyneTune, "ASHA")),
}
GA_AND_TPE: Mapping[str, MakeSampler] = {"ga": ga, "tpe": tpe}
TPE_AND_CURVE_GP: Mapping[str, MakeSampler] = {"tpe": tpe, "curve_gp": curve_gp}
RECOMMENDED = {"grace_period": 4, "reduction_factor": 3, "finish_start": True}
OURS: dict[str, Make] = {
    "recommended": ours(curve_gp, **RECOMMENDED),
    # what trial 0, the rungs and the ending do to it
    "recommended, start judged at rungs": ours(curve_gp, grace_period=4),
    "recommended, stop for pause": ours(curve_gp, ending="stop", grace_period=4),
    "recommended, no rungs": ours(curve_gp, ending="none"),
    **{
        f"recommended, rungs {grace}/{eta}": ours(curve_gp, grace_period=grace, reduction_factor=eta, finish_start=True)
        for grace, eta in ((1, 3), (1, 4), (2, 3), (3, 3), (5, 3), (6, 3), (5, 2), (4, 2), (4, 4), (5, 4))
    },
    # who suggests
    "recommended, prior around start": ours(functools.partial(believed, curve_gp), **RECOMMENDED),
    "ga + curve_gp": ours(functools.partial(portfolio_of, {"ga": ga, "curve_gp": curve_gp}), **RECOMMENDED),
    "tpe + curve_gp": ours(functools.partial(portfolio_of, TPE_AND_CURVE_GP), **RECOMMENDED),
    "tpe + curve_gp, credit": ours(functools.partial(portfolio_of, TPE_AND_CURVE_GP, credit=True), **RECOMMENDED),
    "tpe + curve_gp, no rungs": ours(functools.partial(portfolio_of, TPE_AND_CURVE_GP), ending="none"),
    "tpe + curve_gp, credit, no rungs": ours(
        functools.partial(portfolio_of, TPE_AND_CURVE_GP, credit=True), ending="none"
    ),
    **{
        f"tpe + curve_gp, rungs {grace}/{eta}": ours(
            functools.partial(portfolio_of, TPE_AND_CURVE_GP),
            grace_period=grace,
            reduction_factor=eta,
            finish_start=True,
        )
        for grace, eta in ((6, 3), (8, 2), (10, 2))
    },
    "tpe": ours(tpe, **RECOMMENDED),
    "tpe, prior around start": ours(functools.partial(believed, tpe), **RECOMMENDED),
    "ga": ours(ga, **RECOMMENDED),
    "ga + tpe": ours(functools.partial(portfolio_of, GA_AND_TPE), **RECOMMENDED),
    "ga + tpe, credit": ours(functools.partial(portfolio_of, GA_AND_TPE, credit=True), **RECOMMENDED),
    # pause against stop, what is told and shown, with TPE and the rungs 2/3 (epochs over eta squared)
    "ga_none": ours(ga, ending="none"),
    "ga_pause": ours(ga),
    "tpe_none": ours(tpe, ending="none"),
    "tpe_pause": ours(tpe),
    "tpe_pause_running": ours(tpe, view="running"),
    "tpe_stop_pruned": ours(tpe, ending="stop"),
    "tpe_stop_complete": ours(tpe, ending="stop", told="complete"),
    "portfolio_pause": ours(functools.partial(portfolio_of, GA_AND_TPE)),
    "portfolio_stop": ours(functools.partial(portfolio_of, GA_AND_TPE), ending="stop"),
}
METHODS = PEERS | OURS
