"""The methods by name: peers, our default, and every part of it measured alone."""

from __future__ import annotations

import functools
from collections.abc import Callable

from optuna.pruners import HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, TPESampler

from benchmarks.searchers import evolve, peers
from benchmarks.searchers.ours import Options, Ours
from benchmarks.searchers.simulate import Hyp, Searcher
from benchmarks.searchers.space import EPOCHS, GAINS
from search.samplers import GeneticSampler, PortfolioSampler, TrialSeededSampler
from search.samplers.curve_gp import CurveGPSampler
from search.samplers._rng import derived_seed

Make = Callable[[Hyp, int, int], Searcher]
"""Builds a searcher from the hyp that it starts from, a seed, and the budget in epochs."""


def ga(seed: int, start: Hyp) -> BaseSampler:
    return GeneticSampler(seed=derived_seed(seed, "ga"), gains=GAINS, defaults=start)


def tpe(seed: int, start: Hyp, **options: object) -> BaseSampler:  # noqa: ARG001 - one signature for all
    chosen = {"multivariate": True, "constant_liar": True, "n_startup_trials": 10, **options}
    make = functools.partial(_tpe, **chosen)
    return TrialSeededSampler(make, seed=derived_seed(seed, "tpe"))


def _tpe(seed: int, **options: object) -> BaseSampler:
    return TPESampler(seed=seed, **options)  # type: ignore[arg-type]


def portfolio(seed: int, start: Hyp) -> BaseSampler:
    return PortfolioSampler({"ga": ga(seed, start), "tpe": tpe(seed, start)}, seed=seed)


def ours(sampler: Callable[[int, Hyp], BaseSampler], **options: object) -> Make:
    return lambda start, seed, budget: Ours(Options(sampler, **options), start, seed)  # noqa: ARG005


PEERS: dict[str, Make] = {
    "classic": lambda start, seed, budget: evolve.Sequential(evolve.classic(start, seed)),
    "population": lambda start, seed, budget: evolve.Sequential(
        evolve.population(start, seed, generations=max(1, budget // (50 * EPOCHS)))
    ),
    "random": lambda start, seed, budget: evolve.Random(start, seed),
    "one_epoch_first": lambda start, seed, budget: evolve.OneEpochFirst(start, seed),
    "ray_optuna_asha": lambda start, seed, budget: peers.RayOptuna(start, seed),
    "ray_optuna_asha_3_3": lambda start, seed, budget: peers.RayOptuna(start, seed, 3, 3),
    "optuna_tpe_hyperband": lambda start, seed, budget: peers.OptunaStudy(
        TPESampler(seed=seed), HyperbandPruner(1, EPOCHS, 3), start
    ),
    "optuna_tpe": lambda start, seed, budget: peers.OptunaStudy(TPESampler(seed=seed), NopPruner(), start),
    "optuna_gp": lambda start, seed, budget: peers.OptunaStudy(
        GPSampler(seed=seed, deterministic_objective=False), NopPruner(), start
    ),
    "syne_asha": lambda start, seed, budget: peers.SyneTune("ASHA", start, seed),
}
OURS: dict[str, Make] = {
    "ga_none": ours(ga, ending="none"),
    "tpe_none": ours(tpe, ending="none"),
    "ga_pause": ours(ga),
    "tpe_pause": ours(tpe),
    "tpe_pause_running": ours(tpe, view="running"),
    "tpe_stop_pruned": ours(tpe, ending="stop"),
    "tpe_stop_complete": ours(tpe, ending="stop", told="complete"),
    "portfolio_pause": ours(portfolio),
    "portfolio_stop": ours(portfolio, ending="stop"),
    "portfolio_none": ours(portfolio, ending="none"),
}
METHODS = PEERS | OURS


def curve_gp(seed: int, start: Hyp, **options: object) -> BaseSampler:  # noqa: ARG001
    return CurveGPSampler(seed=derived_seed(seed, "curve_gp"), **options)


def ga_curve_gp(seed: int, start: Hyp) -> BaseSampler:
    return PortfolioSampler({"ga": ga(seed, start), "curve_gp": curve_gp(seed, start)}, seed=seed)


def tpe_curve_gp(seed: int, start: Hyp) -> BaseSampler:
    return PortfolioSampler({"tpe": tpe(seed, start), "curve_gp": curve_gp(seed, start)}, seed=seed)


METHODS |= {
    f"curve_gp_{grace}_{eta}": ours(curve_gp, grace_period=grace, reduction_factor=eta)
    for grace in (1, 2, 3, 4, 5)
    for eta in (2, 3, 4)
}
METHODS["curve_gp_none"] = ours(curve_gp, ending="none")
METHODS["curve_gp_stop"] = ours(curve_gp, ending="stop", grace_period=3)
METHODS["curve_gp_3_3_it40"] = ours(functools.partial(curve_gp, iterations=40), grace_period=3)
METHODS["curve_gp_3_3_n300"] = ours(functools.partial(curve_gp, iterations=40, max_values=400), grace_period=3)
METHODS["curve_gp_3_3_it8"] = ours(functools.partial(curve_gp, iterations=8), grace_period=3)
METHODS["ga_curve_gp_3_3"] = ours(ga_curve_gp, grace_period=3)
METHODS["tpe_curve_gp_3_3"] = ours(tpe_curve_gp, grace_period=3)
METHODS["tpe_pause_3_3"] = ours(tpe, grace_period=3)
METHODS["tpe_pause_running_3_3"] = ours(tpe, grace_period=3, view="running")
METHODS |= {
    f"curve_gp_{grace}_{eta}_start": ours(curve_gp, grace_period=grace, reduction_factor=eta, finish_start=True)
    for grace in (2, 3, 4, 5)
    for eta in (2, 3, 4)
}
METHODS["tpe_pause_3_3_start"] = ours(tpe, grace_period=3, finish_start=True)
METHODS["ga_curve_gp_3_3_start"] = ours(ga_curve_gp, grace_period=3, finish_start=True)
