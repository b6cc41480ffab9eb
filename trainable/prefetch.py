"""Makes the next items while the last one is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from data_prep.pool import threaded_map

Task = TypeVar("Task")
Item = TypeVar("Item")

AHEAD = 3
"""Items for each thread that are made, being made, or wait for it."""


def prefetch(make: Callable[[Task], Item], tasks: Sequence[Task], threads: int = 1) -> Iterator[Item]:
    """``map(make, tasks)``, made ahead in threads, in order.

    Threads are enough: OpenCV, NumPy's larger loops and torch let go of Python's lock. They end with the iterator,
    however that ends.

    Args:
        make:
            Makes an item; several threads call it at a time.
        tasks:
            What to make.
        threads:
            How many make items; 0 makes each when it is asked for.

    Raises:
        Exception: What making an item raised, at that item's turn.
    """
    return threaded_map(make, tasks, threads, ahead=AHEAD) if threads else map(make, tasks)
