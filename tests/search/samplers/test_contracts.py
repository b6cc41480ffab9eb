"""Optuna's own contract tests, inherited."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from optuna.samplers import BaseSampler, NSGAIISampler, QMCSampler, RandomSampler, TPESampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from search.priors import Prior
from search.samplers import (
    CreditAllocation,
    CurveGPSampler,
    GeneticSampler,
    PortfolioSampler,
    PriorSampler,
    StagedSampler,
    TrialSeededSampler,
)
from search.samplers.build import build_sampler
from search.samplers.stages import Stage
from search.space import load_space

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def _tpe(seed: int) -> TPESampler:
    return TPESampler(seed=seed, n_startup_trials=1)


def _built(*members: str, allocation: str = "even") -> BaseSampler:
    space = load_space("configs/spaces/lr_momentum.yaml")
    return build_sampler({"members": members, "allocation": allocation}, space, 0)


class TestGenetic(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture(
        params=[
            lambda: GeneticSampler(seed=0),
            lambda: GeneticSampler(parent="weighted", n_parents=2),
            lambda: GeneticSampler(seed=1, defaults={"x": 1, "y": 3.5, "z": 0.5}, gains={"x": 0.0}),
        ],
        ids=["single", "weighted", "defaults"],
    )
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        return request.param


class TestPortfolio(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture(
        params=[
            lambda: PortfolioSampler({"ga": GeneticSampler(seed=0), "tpe": TPESampler(seed=1)}, seed=2),
            lambda: PortfolioSampler({"ga": GeneticSampler(), "random": RandomSampler()}),
            lambda: PortfolioSampler(
                {"ga": GeneticSampler(seed=0), "nsga2": NSGAIISampler(seed=1), "random": RandomSampler(seed=2)},
                seed=3,
                allocation=CreditAllocation(half_life=5),
            ),
        ],
        ids=["ga+tpe", "ga+random", "ga+nsga2+random by credit"],
    )
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        return request.param


class TestBuiltPortfolio(BasicSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture(
        params=[
            lambda: _built("ga", "tpe", "random", "qmc"),
            lambda: _built("ga", "cmaes", "grid", "NSGAIISampler", allocation="credit"),
        ],
        ids=["four", "four others by credit"],
    )
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        return request.param


class TestCurveGP(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture(params=[lambda: CurveGPSampler(seed=0, n_startup_trials=1, iterations=5)], ids=["at once"])
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        return request.param


class TestTrialSeeded(BasicSamplerTestCase, RelativeSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: TrialSeededSampler(_tpe, seed=0)


class TestPrior(BasicSamplerTestCase):
    @pytest.fixture(
        params=[
            lambda: PriorSampler(TPESampler(seed=1), {"x": Prior(1), "y": Prior(0.5)}, seed=0, strength=2),
            lambda: PriorSampler(RandomSampler(seed=1), {}, seed=0),
        ],
        ids=["tpe", "random"],
    )
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        return request.param


class TestStaged(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        stages = (Stage("one", 3, frozenset({"x", "y", "a"})), Stage("two", 3, frozenset({"z", "b"})))
        return lambda: StagedSampler(stages, {}, lambda: TPESampler(seed=0, n_startup_trials=1), lambda _: None)


class TestPortfolioOfOptunasOwn(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: PortfolioSampler(
            {"qmc": QMCSampler(seed=0, scramble=True), "nsga2": NSGAIISampler(seed=0)}, seed=0
        )
