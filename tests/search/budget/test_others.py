"""Two drivers on one study, and one budget."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from search.assembly import Sweep
from search.budget.guard import BudgetGuard
from search.drivers import driver
from search.keys import HELD, LAST
from search.samplers.keys import PAUSED_KEY
from search.study import SweepStudy
from tests.search.conftest import SweepFiles


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Hand:
    """A driver whose Ray is driven by hand: slots, in each a trial with an epoch in progress."""

    def __init__(self, study: SweepStudy, guard: BudgetGuard) -> None:
        self.study, self.guard = study, guard
        self.training: dict[int, int] = {}
        self.held: list[int] = []

    def start(self) -> int | None:
        """A free worker asks for a trial: one that was held, or a new one."""
        if not self.guard.may_begin():
            return None
        trial = self.study.trial(self.held.pop()) if self.held else None
        trial = trial or self.study.draw_below(10**6, self.guard.may_begin)
        if trial is None:
            return None
        self.guard.reserve(trial.number)
        self.guard.begin(trial.number)
        self.training[trial.number] = trial.user_attrs.get(LAST, {}).get("epochs_run", 0)
        return trial.number

    def decide(self, number: int) -> bool:
        """An epoch has ended: whether the next one begins, before this one is reported."""
        return self.guard.may_go_on(number, 1.0)

    def report(self, number: int, *, goes_on: bool) -> None:
        self.training[number] = epochs = self.training[number] + 1
        self.study.note(number, LAST, {"epoch": epochs, "epochs_run": epochs, "seconds": 1.0 * epochs})
        self.guard.record(number)
        if not goes_on:
            self.guard.put_back(number)
            self.guard.rest(number)
            self.held.append(number)
            del self.training[number]

    def epoch(self, number: int) -> None:
        self.report(number, goes_on=self.decide(number))

    def complete(self, number: int, value: float) -> None:
        self.study.report(number, 9, value)
        self.study.finish(number, TrialState.COMPLETE, value)
        self.guard.rest(number)
        self.guard.record(number)
        del self.training[number]

    def fail(self, number: int) -> None:
        self.study.finish(number, TrialState.FAIL, reason="diverged")
        self.guard.rest(number)
        self.guard.record(number)
        del self.training[number]


@contextlib.contextmanager
def two_drivers(files: SweepFiles, clock: Clock | None = None, **budget: Any) -> Iterator[tuple[Hand, Hand, Any]]:
    """Two of them, and what ends the second one."""
    config, hands = files.config(budget=budget), []
    files.run.mkdir(exist_ok=True)
    with driver(files.run) as first, contextlib.ExitStack() as second:
        for who, new in ((first, True), (second.enter_context(driver(files.run, join=True)), False)):
            study = Sweep(config, files.run).open(who, new=new)
            hands.append(Hand(study, BudgetGuard(config.budget, study, clock or Clock())))
        yield hands[0], hands[1], second.close


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**9), limit=st.integers(1, 16), slots=st.integers(1, 3))
def test_two_drivers_spend_a_budget_to_its_last_epoch_and_no_more(seed: int, limit: int, slots: int) -> None:
    """Trials begin, report and fail in any order; one driver decides before the other has reported."""
    chance, spent = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as folder, two_drivers(SweepFiles(Path(folder)), epochs=limit) as (a, b, _):
        alive = [a, b]
        decided: dict[Hand, tuple[int, bool]] = {}
        while alive:
            hand = chance.choice(alive)
            if hand in decided:
                number, goes_on = decided.pop(hand)
                hand.report(number, goes_on=goes_on)
                spent += 1
            elif not hand.training and hand.guard.over():
                alive.remove(hand)  # its lock is still held: what it left must not keep the other one from going on
            elif not hand.training or (len(hand.training) < slots and chance.random() < 0.5):
                hand.start()
            else:
                number = chance.choice(sorted(hand.training))
                if chance.random() < 0.1:
                    hand.fail(number)
                else:
                    decided[hand] = number, hand.decide(number)
            assert spent <= limit
        assert spent == limit
        assert a.study.trials() == b.study.trials()
        assert a.guard.spent().epochs == b.guard.spent().epochs == limit
        ended = a.guard.ended()
        assert ended is not None
        assert ended.budget == "epochs"


def test_what_another_driver_trains_is_set_aside_until_it_waits_ends_or_its_driver_is_gone(files: SweepFiles) -> None:
    with two_drivers(files, epochs=3) as (a, b, kill_b):
        number = b.start()
        assert number is not None
        assert a.guard.may_begin()  # two for the other one, one is left
        own = a.start()
        assert own is not None
        assert not a.guard.may_begin()
        b.study.note(number, PAUSED_KEY, 1)
        assert a.guard.may_begin()
        b.study.note(number, PAUSED_KEY, None)
        assert not a.guard.may_begin()
        b.study.note(number, HELD, True)
        assert a.guard.may_begin()
        b.study.note(number, HELD, None)
        assert not a.guard.may_begin()
        kill_b()
        assert a.guard.may_begin()


def test_a_driver_ends_where_the_others_have_the_rest_and_says_so(files: SweepFiles) -> None:
    with two_drivers(files, epochs=2) as (a, b, _):
        number = b.start()
        assert number is not None
        assert a.start() is None
        assert a.guard.over()
        ended = a.guard.ended()
        assert ended is not None
        assert ended.sentence == "budget.epochs is used up: 0 of 2; other drivers are at work on the rest"
        b.fail(number)
        assert a.guard.ended() == ended  # Ray has been told
        assert b.start() is not None


@pytest.mark.parametrize("budget", [{"target": 0.5}, {"plateau": {"trials": 2}}], ids=["target", "plateau"])
def test_a_goal_that_one_driver_reaches_ends_the_other(files: SweepFiles, budget: dict[str, Any]) -> None:
    clock = Clock()
    with two_drivers(files, clock, **budget) as (a, b, _):
        a.start()
        assert not a.guard.over()
        for value in (0.9, 0.8, 0.7):
            number = b.start()
            if number is None:
                break
            b.complete(number, value)
        assert b.guard.over()
        clock.now += 1  # a driver looks at the others once a second
        assert a.guard.over()
        ended = a.guard.ended()
        assert ended is not None
        assert [ended.budget] == list(budget)


def test_hours_of_all_drivers_are_counted_while_they_run(files: SweepFiles) -> None:
    clock = Clock()
    with two_drivers(files, clock, hours=100 / 3600) as (a, b, _), a.guard.running(), b.guard.running():
        clock.now += 40
        assert not a.guard.over()
        assert not b.guard.over()
        assert b.guard.spent().wall_seconds == pytest.approx(80)
        clock.now += 30
        assert a.guard.over()  # 70 of its own and 40 that are known of the other one
