"""Which trials become parents, and at which rung they are compared."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from search.samplers import PAUSED_KEY
from search.samplers._population import ranked, stands
from tests.search.samplers.studies import finished, study_of

SPACE: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 100)}
NAN, INF = float("nan"), float("inf")


def _complete(steps: Mapping[int, float] | None = None, value: float | None = None) -> FrozenTrial:
    final = value if value is not None else (steps or {0: 0.0})[max(steps or {0: 0.0})]
    return finished({"x": 1.0}, SPACE, final, steps)


def _pruned(steps: Mapping[int, float] | None = None, value: float | None = None) -> FrozenTrial:
    return finished({"x": 1.0}, SPACE, value, steps, TrialState.PRUNED)


def _ranking(*trials: FrozenTrial, n: int = 5, maximize: bool = True) -> list[tuple[int, float]]:
    numbered = study_of(*trials, direction="maximize" if maximize else "minimize").trials
    return [(individual.number, individual.fitness) for individual in ranked(numbered, n, maximize=maximize)]


def test_without_steps_final_values_rank() -> None:
    assert _ranking(_complete(value=1), _complete(value=3), _complete(value=2)) == [(1, 3), (2, 2), (0, 1)]


def test_minimising_turns_the_order() -> None:
    assert _ranking(_complete(value=1), _complete(value=3), maximize=False) == [(0, -1), (1, -3)]


def test_the_older_comes_first_among_equals() -> None:
    assert [number for number, _ in _ranking(*[_complete(value=1)] * 3)] == [0, 1, 2]


def test_trials_of_equal_length_are_ranked_by_what_they_returned() -> None:
    a, b = _complete({1: 0.9, 2: 0.9}, value=0.1), _complete({1: 0.1, 2: 0.1}, value=0.2)
    assert _ranking(a, b) == [(1, 0.2), (0, 0.1)]


def test_the_highest_rung_that_n_trials_reached_decides() -> None:
    long = [_complete({1: 0.1, 3: 0.3, 9: 0.9 - i / 10}) for i in range(2)]
    middle = [_pruned({1: 0.2, 3: 0.6 - i / 10}) for i in range(2)]
    short = [_pruned({1: 0.95})]
    trials = (*long, *middle, *short)
    assert [number for number, _ in _ranking(*trials, n=2)] == [0, 1]  # rung 9
    assert _ranking(*trials, n=3) == [(2, 0.6), (3, 0.5), (0, 0.3), (1, 0.3)]  # rung 3
    assert [number for number, _ in _ranking(*trials, n=5)] == [4, 2, 3, 0, 1]  # rung 1


def test_with_fewer_than_n_trials_all_are_compared_where_all_have_been() -> None:
    assert _ranking(_complete({1: 0.2, 8: 0.9}), _pruned({1: 0.3}), n=5) == [(1, 0.3), (0, 0.2)]


def test_an_imported_result_counts_at_every_rung() -> None:
    imported = _complete(value=0.7)
    assert _ranking(imported, _pruned({1: 0.5}), _complete({1: 0.1, 2: 0.8}), n=2) == [(2, 0.8), (0, 0.7)]


def test_a_complete_trial_counts_at_its_last_step_with_its_final_value() -> None:
    ended = _complete({1: 0.1, 2: 0.2}, value=0.6)
    assert _ranking(ended, _complete({1: 0.1, 2: 0.3, 3: 0.4}), n=2) == [(0, 0.6), (1, 0.3)]


def test_trials_without_a_common_step_are_compared_where_most_are() -> None:
    a, b, c = _complete({2: 0.2}), _complete({3: 0.3}), _pruned({2: 0.4})
    assert _ranking(a, b, c, n=3) == [(2, 0.4), (0, 0.2)]


def test_a_pruned_trial_counts_even_if_it_was_told_without_value() -> None:
    assert _ranking(_pruned({1: 0.5}), _pruned({1: 0.7})) == [(1, 0.7), (0, 0.5)]


@pytest.mark.parametrize(
    "diverged",
    [
        _pruned({1: NAN}),
        _pruned({1: 0.9, 2: NAN}),
        _pruned({1: INF}, value=INF),
        _complete(value=INF),
        _complete(value=-INF),
        _complete({1: 0.9, 2: NAN}, value=0.9),
        _pruned(),
    ],
)
def test_what_diverged_is_never_a_parent(diverged: FrozenTrial) -> None:
    assert [number for number, _ in _ranking(diverged, _complete({1: 0.1}), n=1)] == [1]


def test_a_gap_at_the_rung_is_no_value() -> None:
    gap = _complete({1: 0.9, 2: NAN, 3: 0.9})
    assert [number for number, _ in _ranking(gap, _pruned({1: 0.1, 2: 0.1}), _pruned({1: 0.2, 2: 0.3}), n=2)] == [2, 1]


def test_nobody_is_no_parent() -> None:
    assert _ranking() == []


def _running(steps: Mapping[int, float], paused: int | None = None) -> FrozenTrial:
    trial = finished({"x": 1.0}, SPACE, None, steps, TrialState.RUNNING)
    if steps:
        trial.set_user_attr(PAUSED_KEY, paused)
    return trial


def test_paused_trials_stand_and_training_ones_do_not() -> None:
    assert stands(_running({1: 0.5}, paused=1))
    assert stands(_complete({1: 0.5}))
    assert stands(_pruned({1: 0.5}))
    assert not stands(_running({1: 0.5}))  # it was promoted: the attribute is None
    assert not stands(_running({}))
    assert not stands(finished({"x": 1.0}, SPACE, None, {1: 0.5}, TrialState.FAIL))


def test_a_paused_trial_is_ranked_by_its_value_at_the_rung_like_any_other() -> None:
    paused = [_running({1: 0.1, 3: 0.8}, paused=3), _running({1: 0.9}, paused=1)]
    assert _ranking(*paused, _complete({1: 0.2, 3: 0.3, 9: 0.4}), n=2) == [(0, 0.8), (2, 0.3)]
    assert _ranking(*paused, _complete({1: 0.2, 3: 0.3, 9: 0.4}), n=3) == [(1, 0.9), (2, 0.2), (0, 0.1)]
    assert _ranking(_running({1: NAN}, paused=1), _complete({1: 0.1}), n=1) == [(1, 0.1)]
