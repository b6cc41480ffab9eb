from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from data_prep.pool import threaded_map


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_for_some(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    assert list(threaded_map(slow_for_some, range(50), workers=4)) == [number**2 for number in range(50)]


def test_items_are_taken_as_they_are_needed() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    results = threaded_map(lambda number: number, items(), workers=2)
    assert next(results) == 0
    assert taken < 50
    results.close()  # type: ignore[attr-defined]  # it is a generator


def test_error_ends_the_work() -> None:
    begun = []

    def fail_at_three(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("three")
        return number

    with pytest.raises(ValueError, match="three"):
        list(threaded_map(fail_at_three, range(1000), workers=2))
    assert len(begun) < 50
    assert threading.active_count() < 20


def test_work_is_done_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=5)
    assert sorted(threaded_map(lambda _: meeting.wait(), range(3), workers=3)) == [0, 1, 2]
