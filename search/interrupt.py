"""Ctrl-C and SIGTERM: the first winds a sweep down to its checkpoints, the second ends it at once."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ray.tune import Stopper

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Whether the user asked for the end."""

    def __init__(self) -> None:
        self.requested = False


@contextmanager
def interruptible(announce: Callable[[str], None]) -> Iterator[Interrupt]:
    """Turn the first signal into a request; the second one does what it did before (ends the program).

    Only the main thread can receive signals: in another one (a notebook's) nothing is changed.

    Args:
        announce:
            Gets one line for the user when the request comes.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    # Ray's own SIGTERM handler, which `ray.init` installed, would leave at once; the second time it may.
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def request(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        interrupt.requested = True
        restore()
        announce("Winding down to the last checkpoints; once more ends at once.")

    for number in SIGNALS:
        signal.signal(number, request)
    try:
        yield interrupt
    finally:
        restore()


class SweepStopper(Stopper):
    """Ends a trial of which an optimized value is no finite number, and the whole sweep when ``should_end`` says so.

    When Ray ends a whole experiment it stops the workers without a word to the searcher: trials stay RUNNING in the
    study, which is what an interrupted sweep wants.

    Args:
        metrics:
            Keys of the values in a result.
        should_end:
            Asked after every step of Ray's loop.
    """

    def __init__(self, metrics: Sequence[str], should_end: Callable[[], bool]) -> None:
        self._metrics = tuple(metrics)
        self._should_end = should_end

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002
        """Whether the trial is to end."""
        return not all(math.isfinite(result.get(metric, 0.0)) for metric in self._metrics)

    def stop_all(self) -> bool:
        """Whether the sweep is to end."""
        return self._should_end()

    def __getstate__(self) -> dict[str, Any]:
        return {"_metrics": self._metrics}  # Ray pickles it into its snapshots; what it asks lives in the driver

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["_metrics"], lambda: False)  # type: ignore[misc]
