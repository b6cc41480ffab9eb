from __future__ import annotations

import math
import os
import pickle
import signal
import threading

import pytest

from search.interrupt import SweepStopper, interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_does_what_it_did_before(number: signal.Signals) -> None:
    def outer(number: int, frame: object) -> None:
        raise InterruptedError

    said: list[str] = []
    before = signal.signal(number, outer)
    try:
        with interruptible(said.append) as interrupt:
            assert not interrupt.requested
            os.kill(os.getpid(), number)
            assert interrupt.requested
            assert len(said) == 1
            with pytest.raises(InterruptedError):
                os.kill(os.getpid(), number)
        assert signal.getsignal(number) is outer
    finally:
        signal.signal(number, before)


def test_handlers_are_put_back_without_a_signal() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible(print):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    inside: list[object] = []

    def work() -> None:
        with interruptible(print):
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]


@pytest.mark.parametrize(("value", "stops"), [(0.5, False), (math.nan, True), (-math.inf, True)])
def test_a_trial_without_a_finite_metric_ends(value: float, stops: bool) -> None:
    assert SweepStopper(["fitness"], lambda: False)("id", {"fitness": value}) is stops


def test_a_missing_metric_is_the_searchers_business() -> None:
    assert SweepStopper(["fitness"], lambda: False)("id", {"map50": 0.5}) is False


def test_ray_may_pickle_the_stopper() -> None:
    stopper = SweepStopper(["fitness"], lambda: True)
    assert stopper.stop_all()
    assert not pickle.loads(pickle.dumps(stopper)).stop_all()
