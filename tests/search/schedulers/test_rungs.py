from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.schedulers.rungs import Decision, Past, Rungs, rung_levels
from tests.search.schedulers.reference import Asha

pytestmark = pytest.mark.timeout(60)  # drawn cases take seconds where the machine is busy
LOSSES = [0.0, 0.25, 0.5, 0.5, 0.75, 1.0]  # few, so that there are ties
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 15),  # whose job is done next
        st.one_of(st.sampled_from(LOSSES), st.floats(0, 1), st.just(math.nan), st.just(math.inf)),
        st.sampled_from(["fine", "fine", "fine", "crash", "checkpoint lost"]),
    ),
    max_size=120,
)


@pytest.mark.parametrize(
    ("epochs", "grace_period", "factor", "levels"),
    [
        (27, 3, 3, (3, 9)),
        (27, 1, 3, (1, 3, 9)),
        (8, 1, 2, (1, 2, 4)),
        (9, 1, 3, (1, 3)),
        (10, 10, 3, ()),
        (20, 2, 2.5, (2, 5, 13)),
        (7, 1, 1.2, (1, 2, 3, 4, 5, 6)),
    ],
)
def test_rungs_lie_a_factor_apart_below_the_last_epoch(
    epochs: int, grace_period: int, factor: float, levels: tuple[int, ...]
) -> None:
    assert rung_levels(epochs, grace_period, factor) == levels


@dataclass
class Worker:
    """A worker of the product and what it does."""

    number: int
    epoch: int
    target: int


@dataclass
class Product:
    """Workers that do as :class:`Rungs` says, epoch by epoch."""

    rungs: Rungs
    epochs: int
    drawn: int = 0
    values: dict[tuple[int, int], float] = field(default_factory=dict)

    def free(self) -> Worker:
        """A free worker asks what to do."""
        number = self.rungs.promotable()
        if number is None:
            self.drawn += 1
            return Worker(self.drawn - 1, 0, self.after(0))
        epoch = self.rungs.promote(number)
        return Worker(number, epoch, self.after(epoch))

    def after(self, epoch: int) -> int:
        return min((level for level in self.rungs.levels if level > epoch), default=self.epochs)

    def done(self, worker: Worker, loss: float, trouble: str) -> Worker:
        """The worker trains to its target, in which it may have to begin again; then it does its next job."""
        start = 0 if trouble == "checkpoint lost" else worker.epoch
        for _ in range(1 if trouble == "fine" else 2):
            for epoch in range(start + 1, worker.target):
                assert self.rungs.record(worker.number, epoch, 0.3) is Decision.GO_ON
        if worker.target == self.epochs:
            self.rungs.close(worker.number)
            return self.free()
        if self.rungs.record(worker.number, worker.target, loss) is Decision.GO_ON:
            return Worker(worker.number, worker.target, self.after(worker.target))
        return self.free()


@given(
    events=EVENTS,
    workers=st.integers(1, 16),
    eta=st.sampled_from([2, 3, 4]),
    shape=st.sampled_from([(27, 1), (27, 3), (8, 1), (16, 2), (5, 4)]),
)
@settings(deadline=None)
def test_every_decision_is_that_of_the_paper(
    events: list[tuple[int, float, str]], workers: int, eta: int, shape: tuple[int, int]
) -> None:
    epochs, grace_period = shape
    levels = rung_levels(epochs, grace_period, eta)
    paper = Asha(levels, eta)
    product = Product(Rungs(levels, eta, "min"), epochs)
    jobs = [paper.get_job() for _ in range(workers)]
    at_work = [product.free() for _ in range(workers)]
    for who, loss, trouble in events:
        index = who % workers
        job, worker = jobs[index], at_work[index]
        assert job is not None
        assert (worker.number, worker.target) == (job[0], [*levels, epochs][job[1]])
        if math.isfinite(loss):
            paper.completed(*job, loss)
        jobs[index] = paper.get_job()
        at_work[index] = product.done(worker, loss, trouble)
    assert [(w.number, w.target) for w in at_work] == [(j[0], [*levels, epochs][j[1]]) for j in jobs if j]


@given(
    losses=st.lists(st.sampled_from(LOSSES), min_size=1, max_size=40),
    eta=st.sampled_from([2, 3, 4]),
    split=st.integers(0, 40),
)
@settings(deadline=None)
def test_more_is_better_where_the_mode_says_so_and_a_history_is_as_good_as_reports(
    losses: list[float], eta: int, split: int
) -> None:
    """A second driver that finds the first one's trials decides as the first one would have."""
    low, high, resumed = Rungs((1, 2), eta, "min"), Rungs((1, 2), eta, "max"), Rungs((1, 2), eta, "min")
    for number, loss in enumerate(losses[:split]):
        assert low.record(number, 1, loss) == high.record(number, 1, -loss)
    resumed.load(Past(n, {1: loss}, 1 if n in low.waiting else None) for n, loss in enumerate(losses[:split]))
    assert resumed.waiting == low.waiting
    for number, loss in enumerate(losses[split:], start=split):
        decision = low.record(number, 1, loss)
        assert resumed.record(number, 1, loss) == decision == high.record(number, 1, -loss)
        assert list(resumed.promotables()) == list(low.promotables()) == list(high.promotables())
        if (promotable := low.promotable()) is not None:
            assert low.promote(promotable) == resumed.promote(promotable) == high.promote(promotable) == 1


def test_ended_trials_count_and_are_never_promoted() -> None:
    rungs = Rungs((1, 3), 3)
    rungs.load([Past(0, {1: 0.9}), Past(1, {1: 0.8}), Past(2, {1: 0.5}, paused_at=1), Past(3, {1: math.nan, 2: 0.1})])
    assert rungs.promotable() is None  # the best third of three is trial 0, which has ended
    assert rungs.record(4, 1, 0.7) is Decision.WAIT
    assert rungs.record(5, 1, 0.6) is Decision.WAIT
    assert rungs.promotable() is None
    assert rungs.record(6, 1, 0.85) is Decision.GO_ON  # the second of six
    assert rungs.waiting == {2: 1, 4: 1, 5: 1}


def test_the_highest_rung_comes_first_and_who_reports_meanwhile_waits() -> None:
    """After a resume, or with other rungs than before, more than one may be promotable at a time."""
    rungs = Rungs((1, 3), 2)
    rungs.load([Past(n, {1: 0.5 + n / 10, 3: 0.1 * n}, 3) for n in range(2)])
    rungs.load([Past(n, {1: 0.9 - n / 100}, 1) for n in range(2, 4)])
    assert list(rungs.promotables()) == [1, 2, 3]
    assert rungs.record(4, 1, 0.95) is Decision.WAIT  # the best of its rung, but its worker takes trial 1
    assert list(rungs.promotables()) == [1, 4, 2]


def test_what_waits_at_no_rung_is_not_waiting() -> None:
    """The rungs of a resumed sweep may lie elsewhere, and a value there need not have been kept."""
    rungs = Rungs((2, 4), 2)
    rungs.load([Past(0, {1: 0.1}, paused_at=1), Past(1, {1: 0.1}, paused_at=2)])
    assert rungs.waiting == {}


def test_a_worker_that_dies_before_the_checkpoint_is_kept_costs_the_trial_no_place() -> None:
    rungs = Rungs((1, 3), 2)
    assert rungs.record(0, 1, 0.5) is Decision.WAIT
    rungs.repeat(0)
    assert rungs.waiting == {}
    assert rungs.record(1, 1, 0.4) is Decision.WAIT
    assert rungs.promotable() is None  # trial 0 would be, were it not at work
    assert rungs.record(0, 1, 0.1) is Decision.GO_ON  # by the value that it had
    assert rungs.record(0, 1, 0.1) is Decision.GO_ON
    rungs.repeat(0)  # it does not wait: nothing to do
    assert rungs.record(0, 3, 0.6) is Decision.WAIT
    rungs.repeat(0)
    assert rungs.record(0, 2, 0.6) is Decision.GO_ON
    assert rungs.record(0, 3, 0.9) is Decision.WAIT  # judged as before


def test_what_is_released_never_waits_and_counts_for_the_others() -> None:
    rungs = Rungs((1, 3), 2)
    rungs.release(0)
    assert rungs.record(0, 1, 0.5) is Decision.GO_ON  # alone in its rung, where others wait
    assert rungs.record(1, 1, 0.4) is Decision.WAIT
    assert rungs.promotable() is None  # trial 0 has the one place
    assert rungs.record(2, 1, 0.6) is Decision.GO_ON
    assert rungs.record(0, 3, 0.1) is Decision.GO_ON
    assert rungs.record(0, 5, math.nan) is Decision.STOP
    rungs.release(1)  # one that waits is taken up
    assert rungs.waiting == {}


def test_what_is_released_does_not_wait_after_a_resume() -> None:
    rungs = Rungs((1, 3), 2)
    rungs.release(0)
    rungs.load([Past(0, {1: 0.5}, paused_at=1), Past(1, {1: 0.4}, paused_at=1)])
    assert rungs.waiting == {1: 1}
    assert rungs.promotable() is None


def test_what_is_released_and_held_by_a_budget_stays_released() -> None:
    """Ray drops a trial that is held, and gets it again where another one has left its epoch."""
    rungs = Rungs((1, 3), 2)
    rungs.release(0)
    assert rungs.record(0, 1, 0.5) is Decision.GO_ON
    rungs.close(0)
    assert rungs.record(0, 3, 0.1) is Decision.GO_ON
    assert rungs.waiting == {}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_ends_the_trial_and_moves_nothing(value: float) -> None:
    rungs = Rungs((1, 3), 2)
    assert rungs.record(0, 1, value) is Decision.STOP
    assert rungs.record(1, 1, 0.5) is Decision.WAIT  # alone in its rung
    assert rungs.record(2, 2, value) is Decision.STOP
    assert rungs.promotable() is None


def test_among_equals_the_earlier_trial_comes_first() -> None:
    rungs = Rungs((1,), 2)
    rungs.load(Past(number, {1: 0.5}, paused_at=1) for number in (3, 2, 4))
    assert list(rungs.promotables()) == [2]
    assert rungs.record(5, 1, 0.5) is Decision.WAIT
    assert list(rungs.promotables()) == [2, 3]
    assert rungs.record(1, 1, 0.5) is Decision.GO_ON
