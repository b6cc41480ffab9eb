from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks.confirm import NULLS, Equal, World, share, simulate
from search.confirm.compare import Scores
from search.confirm.verdict import Rule, Verdict, decide

RULE = Rule()
SWEEPS = 200


def scores(*means: float, seeds: int = 6, noise: float = 0.001) -> dict[int, list[float | None]]:
    """The default's mean first, then those of trials 1, 2, ..."""
    generator = np.random.default_rng(0)
    return {number: list(map(float, mean + generator.normal(0, noise, seeds))) for number, mean in enumerate(means)}


@pytest.mark.parametrize("world", NULLS)
def test_where_no_hyp_is_better_at_most_one_sweep_in_twenty_promotes(world: str) -> None:
    """The best of forty noisy trials become candidates; looks at 2, 4, 6, 9 and 12 seeds."""
    rule = Rule(most=12)
    found = Counter(simulate(NULLS[world], rule, np.random.default_rng([7, n])).verdict for n in range(SWEEPS))
    assert found.total() == SWEEPS
    assert found[Verdict.PROMOTE] <= 0.05 * SWEEPS


def test_a_hyp_that_is_much_better_is_promoted() -> None:
    world = World(gains=Equal(-0.02), winner=0.04)
    assert share(world, RULE, SWEEPS, 1)["promote"] >= 0.8


def test_a_hyp_that_is_worth_having_is_hardly_ever_given_up() -> None:
    world = World(gains=Equal(-0.02), winner=RULE.smallest_gain)
    assert share(world, Rule(most=12), SWEEPS, 1)["keep default"] <= 0.05


def test_the_best_wins() -> None:
    found = decide(scores(0.2, 0.25, 0.28, 0.2), (2, 4, 6), RULE)
    assert (found.verdict, found.trial) == (Verdict.PROMOTE, 2)


def test_where_none_can_be_better_by_the_smallest_gain_the_default_is_kept() -> None:
    found = decide(scores(0.2, 0.2, 0.19), (2, 4, 6), RULE)
    assert (found.verdict, found.trial) == (Verdict.KEEP_DEFAULT, 0)


def test_noise_decides_nothing() -> None:
    found = decide(scores(0.2, 0.21, 0.2, noise=0.05), (2, 4, 6), RULE)
    assert (found.verdict, found.trial, found.look) == (Verdict.UNDECIDED, None, 6)


def test_the_first_look_that_decides_is_the_last() -> None:
    """What later seeds say does not undo it: they were not to be trained."""
    seen: Scores = {0: [0.2, 0.2001, 0.9, 0.9], 1: [0.5, 0.5001, 0.1, 0.1]}
    found = decide(seen, (2, 4), RULE)
    assert (found.verdict, found.look) == (Verdict.PROMOTE, 2)


def test_a_candidate_that_diverged_once_is_never_promoted() -> None:
    seen = scores(0.2, 0.3, 0.28)
    seen[1][3] = None
    assert decide(seen, (4,), RULE).trial == 2
    assert decide({t: v for t, v in seen.items() if t != 2}, (4,), RULE).verdict == Verdict.KEEP_DEFAULT


def test_a_default_that_always_diverges_loses_once_that_is_no_chance() -> None:
    seen: dict[int, list[float | None]] = {0: [None] * 6, 1: [0.1] * 6, 2: [0.2] * 6}
    assert decide(seen, (2,), RULE).verdict == Verdict.UNDECIDED
    found = decide(seen, (2, 4, 6), RULE)
    assert (found.verdict, found.trial) == (Verdict.PROMOTE, 2)


def test_where_all_diverge_the_default_is_kept() -> None:
    seen: Scores = {0: [None, None], 1: [None, 0.1]}
    assert decide(seen, (2,), RULE).verdict == Verdict.KEEP_DEFAULT


def test_without_noise_equal_values_keep_the_default() -> None:
    seen: Scores = {0: [0.2, 0.2], 1: [0.2, 0.2]}
    assert decide(seen, (2,), RULE).verdict == Verdict.KEEP_DEFAULT


@pytest.mark.parametrize(
    ("rule", "expected"),
    [(Rule(), [2, 4, 6]), (Rule(step=3, most=7), [3, 6, 7]), (Rule(most=24), [2, 4, 6, 9, 13, 19, 24])],
)
def test_rounds(rule: Rule, expected: list[int]) -> None:
    looks: list[int] = []
    while (look := rule.next_look(looks)) is not None:
        looks.append(look)
    assert looks == expected
