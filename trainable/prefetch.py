"""Makes the next items while the last one is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

import torch

from data_prep.pool import threaded_map

Task = TypeVar("Task")
Item = TypeVar("Item")

AHEAD = 3
"""Items for each thread that are made, being made, or wait for it."""


def prefetch(make: Callable[[Task], Item], tasks: Iterable[Task], threads: int = 1) -> Iterator[Item]:
    """``map(make, tasks)``, made ahead in threads, in order.

    Threads are enough: OpenCV, NumPy's larger loops and torch let go of Python's lock. They end with the iterator,
    however that ends.

    Each computes on one core. With a team of OpenMP threads for each of them besides the training's own there are more
    than cores, and OpenMP then lets all of them sleep at every barrier: yolov5m6 on two cores took 1.5 times as long.

    Args:
        make:
            Makes an item; several threads call it at a time.
        tasks:
            What to make; taken in the caller's thread.
        threads:
            How many make items; 0 makes each when it is asked for.

    Raises:
        Exception: What making an item raised, at that item's turn.
    """
    if threads == 0:
        yield from map(make, tasks)
        return
    before = torch.get_num_threads()
    try:
        yield from threaded_map(make, tasks, threads, ahead=AHEAD, initializer=partial(torch.set_num_threads, 1))
    finally:
        torch.set_num_threads(before)  # what is set in one thread is the default of those that come later
