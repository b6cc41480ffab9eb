"""Rungs of several goals, against a straight simulation that sorts all anew at each step."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.goals.config import Objective
from search.goals.dominance import preference
from search.schedulers.build import build_rungs
from search.schedulers.config import SchedulerConfig
from search.schedulers.front import FrontRungs
from search.schedulers.rungs import Decision, Past, Rungs
from tests.search.schedulers.plans import Plan

GOALS = (Objective(metric="map50_95", mode="max"), Objective(metric="weights_megabytes", mode="min"))
ONE = (Objective(metric="map50_95", mode="max"),)


def best_of(values: dict[int, tuple[float, float]], eta: float) -> list[int]:
    numbers = sorted(values)
    order = preference(np.array([(-values[n][0], values[n][1]) for n in numbers]))
    return [numbers[place] for place in order][: math.floor(len(numbers) / eta + 1e-9)]


few = st.integers(0, 4).map(float)


@settings(deadline=None)
@given(st.lists(st.tuples(few, few), min_size=1, max_size=25), st.sampled_from([2.0, 3.0]))
def test_whom_a_rung_promotes_is_what_a_straight_simulation_promotes(
    arrivals: list[tuple[float, float]], eta: float
) -> None:
    rungs = FrontRungs((1,), eta, GOALS)
    values: dict[int, tuple[float, float]] = {}
    waiting: set[int] = set()
    for number, found in enumerate(arrivals):
        values[number] = found
        waiting.add(number)
        wanted = next((n for n in best_of(values, eta) if n in waiting), None)

        decision = rungs.record(number, 1, found)

        assert (decision is Decision.GO_ON) == (wanted == number)
        if wanted == number:
            waiting.remove(number)
        elif wanted is not None:  # a worker is free
            assert rungs.promotable() == wanted
            rungs.promote(wanted)
            waiting.remove(wanted)
        assert set(rungs.waiting) == waiting


@settings(deadline=None)
@given(st.lists(few, min_size=1, max_size=20))
def test_with_one_goal_decisions_are_those_of_plain_rungs(arrivals: list[float]) -> None:
    several, plain = FrontRungs((1, 3), 3, ONE), Rungs((1, 3), 3)
    for number, value in enumerate(arrivals):
        assert several.record(number, 1, (value,)) is plain.record(number, 1, value)
        assert several.promotable() == plain.promotable()
        while (promoted := plain.promotable()) is not None:
            plain.promote(promoted)
            several.promote(promoted)
            assert several.record(promoted, 3, (value,)) is plain.record(promoted, 3, value)


def test_a_goal_that_never_changes_does_not_promote_the_smallest_models_alone() -> None:
    """Three sizes, three trials of each, eta 3: one of each size goes on, the best of its size."""
    rungs = FrontRungs((1,), 3, GOALS)
    sizes = {4.0: (0.1, 0.2, 0.3), 15.0: (0.35, 0.4, 0.5), 42.0: (0.45, 0.6, 0.55)}
    trials = [(quality, size) for size, qualities in sizes.items() for quality in qualities]
    rungs.load(Past(number, {1: values}, paused_at=1) for number, values in enumerate(trials))

    promoted = [trials[number] for number in rungs.promotables()]

    assert promoted == [(0.6, 42.0), (0.3, 4.0), (0.5, 15.0)]


@pytest.mark.parametrize("values", [(math.nan, 4.0), (0.5, math.inf), (0.5, math.nan)])
def test_values_that_are_no_numbers_end_a_trial_and_rank_nobody(values: tuple[float, float]) -> None:
    rungs = FrontRungs((1,), 2, GOALS)

    assert rungs.record(0, 1, values) is Decision.STOP
    assert rungs.record(1, 1, (0.1, 9.0)) is Decision.WAIT  # 1 of 1: floor(1 / 2) is none
    assert rungs.record(2, 1, (0.2, 8.0)) is Decision.GO_ON


def test_a_trial_that_repeats_its_rung_keeps_its_first_values() -> None:
    rungs = FrontRungs((1, 2), 2, GOALS)
    rungs.record(0, 1, (0.1, 9.0))
    rungs.repeat(0)

    assert rungs.record(0, 1, (0.9, 1.0)) is Decision.WAIT
    assert rungs.record(1, 1, (0.2, 8.0)) is Decision.GO_ON


def test_rungs_are_built_for_the_goals_and_others_as_before() -> None:
    several = build_rungs(SchedulerConfig(grace_period=1), Plan(objectives=GOALS))

    assert isinstance(several, FrontRungs)
    assert several.levels == (1, 3)
    assert isinstance(build_rungs(SchedulerConfig(), Plan()), Rungs)
    assert build_rungs(SchedulerConfig(type="none"), Plan(objectives=GOALS)) is None
