"""The model of learning curves: its likelihood, its predictions, and what early rungs teach it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from search.samplers._acquisition import best_point, log_improvement
from search.samplers._curve_model import CurveModel, Observations
from search.samplers._encoding import Encoding
from tests.search.samplers.test_encoding import SPACE


def _data(n: int, seed: int, times: tuple[int, ...] = (3, 9, 20), noise: float = 0.0) -> Observations:
    """Random points whose value is their first coordinate, better seen at later epochs."""
    rng = np.random.default_rng(seed)
    features = rng.random((n, 3))
    time = rng.choice(times, n).astype(float)
    values = features[:, 0] * time / 20 + noise * rng.standard_normal(n)
    return Observations(features, np.arange(3), time, values)


def test_gradient_is_that_of_the_loss() -> None:
    model = CurveModel(_data(25, 0, noise=0.1), iterations=2)
    theta = model._theta + 0.1
    numeric = approx_fprime(theta, lambda t: model._loss(t)[0], 1e-6)
    np.testing.assert_allclose(model._loss(theta)[1], numeric, rtol=1e-3, atol=1e-3)


def test_gradient_with_choices_is_that_of_the_loss() -> None:
    encoding = Encoding(SPACE)
    points = encoding.snap(np.random.default_rng(0).random((20, len(SPACE))))
    data = Observations(encoding.features(points), encoding.groups, np.full(20, 4.0), points[:, 0])
    model = CurveModel(data, iterations=2)
    numeric = approx_fprime(model._theta, lambda t: model._loss(t)[0], 1e-6)
    np.testing.assert_allclose(model._loss(model._theta)[1], numeric, rtol=1e-3, atol=1e-3)


def test_at_one_rung_it_predicts_what_scikit_learn_predicts() -> None:
    data = _data(30, 1, times=(7,), noise=0.05)
    model = CurveModel(data, iterations=10)
    n = 3
    kernel = ConstantKernel(math.exp(model._theta[n])) * Matern(np.exp(model._theta[:n]), nu=2.5)
    oracle = GaussianProcessRegressor(kernel, alpha=math.exp(model._theta[n + 1]) + 1e-6, optimizer=None)
    oracle.fit(data.features, (data.values - np.median(data.values)) / data.values.std())
    points = np.random.default_rng(2).random((10, 3))
    for found, wanted in zip(model.predict(points), oracle.predict(points, return_std=True), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_early_rungs_teach_what_is_good_at_the_last() -> None:
    early = _data(60, 3, times=(3,))
    end = np.array([[0.5, 0.5, 0.5]])
    data = Observations(
        np.vstack([early.features, end]), early.groups, np.append(early.times, 20.0), np.append(early.values, 0.5)
    )
    mean = CurveModel(data, iterations=20).mean(np.array([[0.9, 0.5, 0.5], [0.1, 0.5, 0.5]]))
    assert mean[0] > mean[1] + 0.5


def test_what_is_believed_changes_no_mean_and_takes_doubt_away() -> None:
    model = CurveModel(_data(15, 4, noise=0.1), iterations=10)
    points = np.random.default_rng(5).random((6, 3))
    mean, deviation = model.predict(points)
    model.believe(points[:2])
    after, left = model.predict(points)
    np.testing.assert_allclose(after, mean, atol=1e-3)
    assert (left[:2] < deviation[:2]).all()
    assert (left <= deviation + 1e-9).all()


def test_equal_values_and_a_single_one_are_no_error() -> None:
    for values in ([0.3], [0.3, 0.3, 0.3]):
        n = len(values)
        data = Observations(np.eye(3)[:n], np.arange(3), np.ones(n), np.array(values))
        assert np.isfinite(CurveModel(data, iterations=5).predict(np.eye(3))[0]).all()


@pytest.mark.parametrize("mean", [-3.0, -1.2, -0.4, 0.0, 2.0])
def test_expected_improvement_is_the_integral(mean: float) -> None:
    found = log_improvement(np.array([mean]), np.array([0.7]), 0.1)[0]
    wanted, _ = quad(lambda y: (y - 0.1) * norm.pdf(y, mean, 0.7), 0.1, 0.1 + 12)
    assert math.exp(found) == pytest.approx(wanted, rel=1e-5)


def test_expected_improvement_stays_finite_and_ordered_far_below_the_goal() -> None:
    found = log_improvement(np.array([-200.0, -50.0, -10.0]), np.ones(3), 0.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()


def test_the_best_point_is_near_the_top_of_a_known_hill() -> None:
    encoding = Encoding({name: SPACE[name] for name in ("log", "plain")})
    rng = np.random.default_rng(6)
    points = rng.random((40, 2))
    values = -((points - [0.3, 0.7]) ** 2).sum(1)
    model = CurveModel(Observations(points, np.arange(2), np.ones(40), values), iterations=15)
    assert np.abs(best_point(model, encoding, points, rng) - [0.3, 0.7]).max() < 0.1
