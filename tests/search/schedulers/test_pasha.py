from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.schedulers.pasha import ProgressiveRungs, noise
from search.schedulers.rungs import Decision, Past, rung_levels
from tests.search.schedulers.reference import Pasha
from tests.search.schedulers.test_rungs import Product

pytestmark = pytest.mark.timeout(60)  # drawn cases take seconds where the machine is busy
LEVELS = (1, 3, 9)


def curve(number: int, seed: int) -> list[float]:
    """A trial's losses: falling, and crossing those of others."""
    return [
        ((number * 7919 + seed) % 13) / 13 / epoch + ((number * 31 + epoch * 17 + seed) % 11) / 40
        for epoch in range(1, 28)
    ]


@given(
    who=st.lists(st.integers(0, 15), max_size=150),
    workers=st.integers(1, 16),
    eta=st.sampled_from([2, 3, 4]),
    epsilon=st.sampled_from([None, 0.0, 0.05, 0.3]),
    seed=st.integers(0, 100),
)
@settings(deadline=None)
def test_every_decision_is_that_of_the_paper(
    who: list[int], workers: int, eta: int, epsilon: float | None, seed: int
) -> None:
    epochs = 27
    levels = rung_levels(epochs, 1, eta)
    paper = Pasha(levels, eta, epsilon)
    product = Product(ProgressiveRungs(levels, eta, "min", epsilon=epsilon), epochs)
    jobs = [paper.get_job() for _ in range(workers)]
    at_work = [product.free() for _ in range(workers)]
    for each in who:
        index = each % workers
        job, worker = jobs[index], at_work[index]
        assert job is not None
        theta, k = job
        target = [*levels, epochs][k]
        assert (worker.number, worker.target) == (theta, target)
        losses = curve(theta, seed)
        for epoch in range(worker.epoch + 1, target):
            assert product.rungs.record(theta, epoch, losses[epoch - 1]) is Decision.GO_ON
        for epoch in range(1, target + 1):
            paper.measured(theta, epoch, losses[epoch - 1])
        paper.completed(theta, k, losses[target - 1])
        jobs[index] = paper.get_job()
        worker.epoch = target - 1  # its other epochs are reported
        at_work[index] = product.done(worker, losses[target - 1], "fine")


def test_trials_stay_below_the_third_rung_while_the_ranking_holds() -> None:
    rungs = ProgressiveRungs(LEVELS, 3, "min", epsilon=0.0)
    for number in range(30):
        decision = rungs.record(number, 1, -number)
        while decision is Decision.GO_ON and rungs.reach == 3:
            decision = rungs.record(number, 3, -number)
    assert rungs.reach == 3
    assert rungs.promotable() is None


def test_a_swap_in_the_top_rung_lets_trials_go_further() -> None:
    rungs = ProgressiveRungs(LEVELS, 2, "max", epsilon=0.0)
    for number, (first, second) in enumerate([(0.1, 0.0), (0.2, 0.5), (0.3, 0.4), (0.4, 0.3)]):
        if rungs.record(number, 1, first) is Decision.GO_ON:
            assert rungs.record(number, 2, second) is Decision.GO_ON
            rungs.record(number, 3, second)
    assert rungs.reach == 9


def test_a_second_driver_lets_trials_go_as_far_as_the_first_one() -> None:
    rungs = ProgressiveRungs(LEVELS, 3, epsilon=0.0)
    assert rungs.reach == 3
    rungs.load([Past(0, {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}), Past(1, {1: 0.1}, 1)])
    assert rungs.reach == 9
    swapped = ProgressiveRungs(LEVELS, 3, epsilon=0.0)
    swapped.load([Past(0, {1: 0.1, 3: 0.4}, 3), Past(1, {1: 0.2, 3: 0.3}, 3)])
    assert swapped.reach == 9  # the rise was decided when the last of them came, and nothing went on since
    last = ProgressiveRungs(LEVELS, 3, epsilon=0.0)
    last.load([Past(0, {1: 0.1, 3: 0.4, 9: 0.5, 10: 0.6})])
    assert last.reach is None


def test_what_no_rung_let_go_so_far_lets_nobody_go_further() -> None:
    """Trial 0 of an earlier ASHA, and results that were imported with their curves."""
    rungs = ProgressiveRungs(LEVELS, 3, epsilon=0.0)
    curve = {epoch: epoch / 100 for epoch in range(1, 28)}
    rungs.load([Past(0, curve, judged=False), Past(1, {1: 0.1}, 1)])
    assert rungs.reach == 3


@pytest.mark.parametrize("levels", [(), (4,)])
def test_where_there_are_too_few_rungs_it_is_asha(levels: tuple[int, ...]) -> None:
    assert ProgressiveRungs(levels, 3).reach is None


@pytest.mark.parametrize(("epsilon", "reach"), [(0.11, 3), (0.09, 9)])
def test_within_epsilon_places_may_change(epsilon: float, reach: int) -> None:
    rungs = ProgressiveRungs(LEVELS, 2, "min", epsilon=epsilon)
    rungs.load(
        Past(n, {1: first, 3: second}, 3) for n, (first, second) in enumerate([(0.1, 0.1), (0.3, 0.2), (0.2, 0.3)])
    )
    assert rungs.reach == reach


def test_a_trial_without_a_value_at_the_rung_below_tells_nothing() -> None:
    rungs = ProgressiveRungs(LEVELS, 2, "min", epsilon=0.0)
    rungs.load([Past(0, {3: 0.5}, 3), Past(1, {1: 0.1, 3: 0.4}, 3)])
    assert rungs.reach == 3


@given(
    losses=st.lists(st.lists(st.integers(0, 6), min_size=6, max_size=6), max_size=12),
)
@settings(deadline=None)
def test_noise_is_the_90th_percentile_of_the_distances_of_all_pairs_that_changed_places_twice(
    losses: list[list[int]],
) -> None:
    paper = Pasha((2, 6), 3, None)
    paper.curves = {n: dict(enumerate(map(float, each), start=1)) for n, each in enumerate(losses)}
    expected = paper.noise(list(paper.curves), 1)
    assert noise(list(paper.curves.values()), top=6) == pytest.approx(expected)


def test_noise_is_what_overtakes_to_and_fro() -> None:
    to_and_fro = [{1: 0.1, 2: 0.4, 3: 0.1}, {1: 0.2, 2: 0.3, 3: 0.15}]
    once = [{1: 0.1, 2: 0.3, 3: 0.4}, {1: 0.2, 2: 0.4, 3: 0.3}]
    assert noise(to_and_fro, top=3) == pytest.approx(0.05)
    assert noise(once, top=3) == 0.0
    assert noise(once[:1], top=3) == 0.0
    assert noise([{1: 0.1, 3: 0.1}, {1: 0.2, 2: 0.3, 3: 0.15}], top=3) == 0.0  # an epoch is missing
