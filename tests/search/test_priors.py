"""What is drawn from a prior, against SciPy's own distributions."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import ValidationError
from scipy import stats

from search.priors import CONFIDENCES, UNIFORM_SHARE, ParameterPrior, Prior, SpacePrior
from search.samplers._genes import contains
from search.samplers._rng import generator


def _drawn(prior: Prior, distribution: BaseDistribution, n: int, seed: int = 0) -> list[Any]:
    rng = generator(seed, "draws")
    return [prior.draw(distribution, rng) for _ in range(n)]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("centre", [0.02, 0.3, 1.0])
@pytest.mark.parametrize("confidence", [2.0, 8.0])
def test_a_range_is_a_cut_normal_mixed_with_the_uniform(log: bool, centre: float, confidence: float) -> None:
    low, high = 0.01, 1.0
    scale = math.log if log else float
    length = scale(high) - scale(low)
    position = (scale(centre) - scale(low)) / length
    sd = 1 / confidence
    normal = stats.truncnorm((0 - position) / sd, (1 - position) / sd, position, sd)

    def cdf(u: Any) -> Any:
        return (1 - UNIFORM_SHARE) * normal.cdf(u) + UNIFORM_SHARE * np.clip(u, 0, 1)

    drawn = _drawn(Prior(centre, confidence), FloatDistribution(low, high, log=log), 3000)
    units = [(scale(value) - scale(low)) / length for value in drawn]
    assert stats.kstest(units, cdf).pvalue > 1e-3


@pytest.mark.parametrize("confidence", [2.0, 4.0, 8.0])
def test_the_odds_of_a_choice(confidence: float) -> None:
    choices = ("SGD", "Adam", "AdamW", None)
    drawn = Counter(_drawn(Prior("Adam", confidence), CategoricalDistribution(choices), 4000))
    at_centre = (1 - UNIFORM_SHARE) * confidence / (confidence + 3) + UNIFORM_SHARE / 4
    expected = [4000 * (at_centre if choice == "Adam" else (1 - at_centre) / 3) for choice in choices]
    assert stats.chisquare([drawn[choice] for choice in choices], expected).pvalue > 1e-3


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("centre", [2, 5])
def test_a_whole_number_has_the_mass_of_half_a_step_to_both_sides(log: bool, centre: int) -> None:
    low, high, confidence = 2, 6, 2.0
    scale = math.log if log else float
    start, length = scale(low - 0.5), scale(high + 0.5) - scale(low - 0.5)
    position = (scale(centre) - start) / length
    normal = stats.truncnorm(-position * confidence, (1 - position) * confidence, position, 1 / confidence)
    borders = [(scale(n - 0.5) - start) / length for n in range(low, high + 2)]
    mass = (1 - UNIFORM_SHARE) * np.diff(normal.cdf(borders)) + UNIFORM_SHARE * np.diff(borders)
    drawn = Counter(_drawn(Prior(centre, confidence), IntDistribution(low, high, log=log), 5000))
    assert stats.chisquare([drawn[n] for n in range(low, high + 1)], 5000 * mass).pvalue > 1e-3


@pytest.mark.parametrize("log", [False, True])
def test_the_centre_is_the_mode_and_every_value_is_drawn(log: bool) -> None:
    drawn = Counter(_drawn(Prior(6, 8.0), IntDistribution(2, 12, log=log), 6000))
    if not log:
        assert drawn.most_common(1)[0][0] == 6
    widths = {n: math.log((n + 0.5) / (n - 0.5)) if log else 1.0 for n in drawn}
    dense = max(drawn, key=lambda n: drawn[n] / widths[n])
    assert abs(dense - 6) <= (1 if log else 0)
    assert sorted(drawn) == list(range(2, 13))


def test_a_centre_at_a_bound_is_the_mode_too() -> None:
    counts, _ = np.histogram(_drawn(Prior(0.0, 4.0), FloatDistribution(0.0, 45.0), 4000), bins=10, range=(0, 45))
    assert counts.argmax() == 0
    assert (counts > 0).all()


_distributions = st.one_of(
    st.tuples(st.floats(-50, 50), st.floats(0, 50)).map(lambda b: FloatDistribution(b[0], b[0] + b[1])),
    st.tuples(st.floats(1e-6, 10), st.floats(1, 1e6)).map(lambda b: FloatDistribution(b[0], b[0] * b[1], log=True)),
    st.tuples(st.integers(-50, 50), st.integers(0, 50)).map(lambda b: IntDistribution(b[0], b[0] + b[1])),
    st.tuples(st.integers(1, 50), st.integers(0, 500)).map(lambda b: IntDistribution(b[0], b[0] + b[1], log=True)),
    st.integers(0, 20).map(lambda n: FloatDistribution(-1.0, -1.0 + n * 0.25, step=0.25)),
    st.lists(st.sampled_from(["a", "b", "c", None, 1, 2.5]), min_size=1, unique=True).map(CategoricalDistribution),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    distribution=_distributions,
    centre=st.one_of(st.floats(-100, 100), st.sampled_from([0, 3])),
    confidence=st.floats(1, 1e9),
    seed=st.integers(0, 1000),
)
@pytest.mark.filterwarnings("ignore")
def test_every_draw_is_legal(distribution: BaseDistribution, centre: float, confidence: float, seed: int) -> None:
    for value in _drawn(Prior(centre, confidence), distribution, 5, seed):
        assert contains(distribution, value)
        assert type(value) is type(distribution.to_external_repr(distribution.to_internal_repr(value)))


def test_draws_repeat_by_seed() -> None:
    prior, distribution = Prior(0.1), FloatDistribution(0.01, 1.0, log=True)
    assert _drawn(prior, distribution, 5, 3) == _drawn(prior, distribution, 5, 3)
    assert _drawn(prior, distribution, 5, 3) != _drawn(prior, distribution, 5, 4)


@pytest.mark.parametrize("word", CONFIDENCES)
def test_words_are_numbers(word: str) -> None:
    assert ParameterPrior(confidence=word).confidence == CONFIDENCES[word]  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["sure", 0.5, -1, True, math.nan, math.inf, None, [1]])
def test_a_wrong_confidence_is_refused_with_the_words(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="none, low, medium, high, or a number from 1 up"):
        SpacePrior(confidence=wrong)
