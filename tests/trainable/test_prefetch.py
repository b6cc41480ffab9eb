from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from trainable.prefetch import AHEAD, prefetch


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_items_come_in_order(threads: int) -> None:
    def make(task: int) -> int:
        time.sleep(0.001 * (task % 3))
        return task * task

    assert list(prefetch(make, range(20), threads)) == [task * task for task in range(20)]


def test_so_many_are_made_ahead_and_no_more() -> None:
    made: list[int] = []
    items = prefetch(lambda task: made.append(task), range(20), 1)

    next(items)
    for _ in range(100):
        if len(made) == AHEAD:
            break
        time.sleep(0.01)
    time.sleep(0.05)

    assert len(made) == AHEAD
    items.close()


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_comes_at_its_items_turn(threads: int) -> None:
    def make(task: int) -> float:
        return 1 / (2 - task)

    items = prefetch(make, range(5), threads)

    assert [next(items), next(items)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(items)


def test_the_threads_end_with_the_loop() -> None:
    before = threading.active_count()
    for item in prefetch(lambda task: task, range(100), 4):
        if item == 3:
            break

    for _ in range(200):
        if threading.active_count() == before:
            break
        time.sleep(0.01)
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_is_made_after_the_end(threads: int) -> None:
    begun: list[int] = []
    ended: list[int] = []

    def make(task: int) -> int:
        begun.append(task)
        time.sleep(0.05)
        ended.append(task)
        return task

    items = prefetch(make, range(20), threads)
    next(items)
    items.close()
    made = len(begun)

    assert sorted(ended) == sorted(begun)  # nobody is at work any more
    time.sleep(0.15)
    assert len(begun) == made <= AHEAD * threads


@pytest.mark.parametrize("threads", [1, 3])
def test_each_thread_computes_on_one_core_and_the_training_keeps_its_own(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert set(prefetch(lambda _: torch.get_num_threads(), range(6), threads)) == {1}
        assert torch.get_num_threads() == 2

        items = prefetch(lambda _: torch.get_num_threads(), range(6), threads)
        next(items)
        items.close()
        assert ThreadPoolExecutor(1).submit(torch.get_num_threads).result() == 2  # what later threads start with
    finally:
        torch.set_num_threads(before)
