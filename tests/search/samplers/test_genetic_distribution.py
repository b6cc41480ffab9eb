"""The GA's offspring against YOLOv5's formula, in distribution."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from scipy import stats

from search.samplers import GeneticSampler
from search.samplers._selection import selection_weights
from tests.search.samplers.classic import offspring
from tests.search.samplers.studies import finished, study_of, trial_numbered

META = {  # gain, low, high as in YOLOv5: an ordinary gene, a small gain, one at its bound, one at 0, one with gain 0
    "lr0": (1.0, 1e-5, 1e-1),
    "momentum": (0.3, 0.6, 0.98),
    "mosaic": (1.0, 0.0, 1.0),
    "degrees": (1.0, 0.0, 45.0),
    "fliplr": (0.0, 0.0, 1.0),
    "anchors": (2.0, 2.0, 10.0),
}
SPACE: dict[str, BaseDistribution] = {
    n: FloatDistribution(low, high, log=n == "lr0") for n, (_, low, high) in META.items()
}
GENES = np.array(
    [
        [0.01, 0.937, 1.0, 0.0, 0.5, 3.0],
        [0.02, 0.95, 0.9, 0.0, 0.4, 4.0],
        [0.03, 0.7, 0.8, 0.0, 0.3, 5.0],
        [0.04, 0.8, 0.7, 0.0, 0.2, 6.0],
        [0.05, 0.65, 0.6, 0.0, 0.1, 7.0],
        [0.09, 0.61, 0.1, 0.0, 0.9, 9.0],  # never a parent: sixth of six
    ]
)
FITNESS = np.array([0.5, 0.49, 0.46, 0.45, 0.41, 0.1])
N = 4000


def _children(sampler: GeneticSampler, rows: np.ndarray, fitness: np.ndarray, sign: float = 1.0) -> np.ndarray:
    study = study_of(
        *(
            finished(dict(zip(META, row, strict=True)), SPACE, sign * f)
            for row, f in zip(rows.tolist(), fitness, strict=True)
        ),
        direction="maximize" if sign > 0 else "minimize",
    )
    children = []
    for number in range(1000, 1000 + N):
        trial = trial_numbered(number)
        space = sampler.infer_relative_search_space(study, trial)
        child = sampler.sample_relative(study, trial, space)
        children.append([child[name] for name in META])
    return np.array(children)


@pytest.fixture(scope="module", params=["single", "weighted"])
def pair(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    gains = {name: meta[0] for name, meta in META.items()}
    sampler = GeneticSampler(seed=11, gains=gains, parent=request.param)
    return _children(sampler, GENES, FITNESS), offspring(GENES, FITNESS, list(META.values()), request.param, N, seed=5)


@pytest.mark.timeout(60)
class TestOffspring:
    @pytest.mark.parametrize("name", META)
    def test_each_gene_has_the_formulas_distribution(self, pair: tuple[np.ndarray, np.ndarray], name: str) -> None:
        ours, theirs = (side[:, list(META).index(name)] for side in pair)
        assert stats.ks_2samp(ours, theirs, method="asymp").pvalue > 0.01

    def test_genes_move_together_as_the_shared_draw_makes_them(self, pair: tuple[np.ndarray, np.ndarray]) -> None:
        # U' is one number per child: the sizes of two genes' steps are correlated.
        steps = [np.abs(side[:, 0] / side[:, 5] - np.median(side[:, 0] / side[:, 5])) for side in pair]
        assert stats.ks_2samp(*steps, method="asymp").pvalue > 0.01

    def test_as_many_are_clipped(self, pair: tuple[np.ndarray, np.ndarray]) -> None:
        at_bound = [[np.mean(side[:, i] == high) for i, (_, _, high) in enumerate(META.values())] for side in pair]
        np.testing.assert_allclose(*at_bound, atol=0.04)

    def test_all_are_rounded_to_five_digits(self, pair: tuple[np.ndarray, np.ndarray]) -> None:
        np.testing.assert_array_equal(pair[0], np.round(pair[0], 5))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["maximize", "minimize"])
def test_from_one_parent_genes_stay_put_as_often_as_the_formula_says(sign: float) -> None:
    row = np.array([[0.0123, 0.777, 0.5, 10.0, 0.5, 5.0]])
    gains = {name: meta[0] for name, meta in META.items()}
    ours = _children(GeneticSampler(seed=3, gains=gains), row, np.array([0.5]), sign)
    theirs = offspring(row, np.array([0.5]), list(META.values()), "single", N, seed=4)
    np.testing.assert_allclose((ours == row).mean(0), (theirs == row).mean(0), atol=0.03)
    assert (ours == row).mean(0)[4] == 1.0  # gain 0
    assert not (ours == row).all(1).any()  # some gene always changes


@pytest.mark.timeout(60)
def test_parents_are_drawn_by_their_weights() -> None:
    ours = _children(GeneticSampler(seed=7, gains=dict.fromkeys(META, 0.0)), GENES, FITNESS)
    chosen = np.array([np.mean(ours[:, 0] == lr0) for lr0 in GENES[:, 0]])
    w = FITNESS[:5] - FITNESS[:5].min() + 1e-6
    np.testing.assert_allclose(chosen[:5], w / w.sum(), atol=0.03)
    assert chosen[5] == 0


def test_weights_are_those_of_yolov5() -> None:
    w = np.array([0.3, 0.1, 0.0]) + 1e-6
    np.testing.assert_allclose(selection_weights([0.5, 0.3, 0.2]), w / w.sum())
    np.testing.assert_allclose(selection_weights([0.5, 0.5]), [0.5, 0.5])


def test_weights_survive_fitness_at_the_edge_of_floats() -> None:
    weights = selection_weights([1.7e308, -1.7e308])
    assert np.isfinite(weights).all()
    assert weights[0] > 0.99
