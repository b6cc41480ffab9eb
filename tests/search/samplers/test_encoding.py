"""Spaces as cubes, there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search.samplers._encoding import Encoding
from search.samplers._genes import contains

SPACE: dict[str, BaseDistribution] = {
    "choice": CategoricalDistribution(["a", "b", "c"]),
    "int": IntDistribution(2, 7),
    "log": FloatDistribution(1e-4, 0.1, log=True),
    "log_int": IntDistribution(1, 1000, log=True),
    "plain": FloatDistribution(-1.0, 3.0),
    "step": FloatDistribution(0.0, 1.0, step=0.1),
    "truth": CategoricalDistribution([True, False, None]),
}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=len(SPACE), max_size=len(SPACE)))
def test_every_point_of_the_cube_is_a_legal_configuration_and_back(point: list[float]) -> None:
    encoding = Encoding(SPACE)
    snapped = encoding.snap(np.array([point]))
    config = encoding.decode(np.array(point))
    assert all(contains(SPACE[name], value) for name, value in config.items())
    np.testing.assert_allclose(encoding.encode([config]), snapped, atol=1e-9)
    again = encoding.decode(snapped[0])
    assert {name: again[name] for name in SPACE if name not in {"log", "plain"}} == {
        name: config[name] for name in SPACE if name not in {"log", "plain"}
    }


@pytest.mark.parametrize(("name", "edges"), [("log", (1e-4, 0.1)), ("plain", (-1.0, 3.0)), ("int", (2, 7))])
def test_the_edges_of_the_cube_are_the_bounds(name: str, edges: tuple[float, float]) -> None:
    encoding = Encoding({name: SPACE[name]})
    assert (encoding.decode(np.array([0.0]))[name], encoding.decode(np.array([1.0]))[name]) == pytest.approx(edges)


def test_all_ints_have_the_same_share() -> None:
    encoding = Encoding({"int": SPACE["int"]})
    drawn = [encoding.decode(np.array([u]))["int"] for u in (np.arange(600) + 0.5) / 600]
    assert {value: drawn.count(value) for value in set(drawn)} == dict.fromkeys(range(2, 8), 100)


def test_two_choices_are_as_far_apart_as_any_others() -> None:
    encoding = Encoding({"choice": SPACE["choice"]})
    features = encoding.features(encoding.encode([{"choice": each} for each in "abc"]))
    distances = np.linalg.norm(features[:, None] - features[None], axis=-1)
    np.testing.assert_allclose(distances, 1 - np.eye(3))
    assert (encoding.groups == 0).all()
