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


def _built() -> BaseSampler:
    return build_sampler({"members": ["ga", "tpe", "random", "qmc"]}, load_space("configs/spaces/yolov5.yaml"), 0)


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
        ],
        ids=["ga+tpe", "ga+random"],
    )
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        return request.param


class TestBuiltPortfolio(BasicSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return _built


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
