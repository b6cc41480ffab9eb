"""Makes the next items while the last one is at work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Task = TypeVar("Task")
Item = TypeVar("Item")

AHEAD = 2
"""Items that wait or are being made, for each thread."""


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
    if threads == 0:
        yield from map(make, tasks)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="prefetch")
    waiting: deque[Future[Item]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(make, task))
            if len(waiting) > AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
