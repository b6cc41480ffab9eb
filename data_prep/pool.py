"""Runs a function over many items in threads, in order and with bounded memory.

Reading, decoding and hashing leave Python's lock, so threads use the cores and share the open archives.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: Items that wait per thread: enough to keep it busy, few enough that results do not pile up.
_AHEAD = 8


def threaded_map(
    function: Callable[[T], R],
    items: Iterable[T],
    workers: int | None = None,
    *,
    ahead: int = _AHEAD,
    initializer: Callable[[], object] | None = None,
) -> Iterator[R]:
    """Yield ``function(item)`` of every item, in the order of the items.

    Args:
        function:
            Called in threads.
        items:
            Taken as they are needed.
        workers:
            Threads; None for one per core that this process may use.
        ahead:
            Items per thread that wait or are being worked on.
        initializer:
            Called first in each thread.

    Raises:
        Exception: The first that ``function`` raised; what had not begun by then is never begun.
    """
    count = workers or len(os.sched_getaffinity(0))
    pool = ThreadPoolExecutor(count, initializer=initializer)
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= count * ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # Ctrl-C and a caller that stops early, too
        pool.shutdown(wait=True, cancel_futures=True)
