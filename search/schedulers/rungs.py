"""Asynchronous successive halving that pauses and promotes: the decisions alone, without Ray and without a study.

Algorithm 2 of Li et al. 2018 (https://arxiv.org/abs/1810.05934). A trial that has reached a rung waits there. A worker
that becomes free takes, from the highest rung down, the best trial that is among the best ``floor(n / eta)`` of the
``n`` values of its rung and was not promoted from it before; if there is none, it starts a new trial::

    rungs = Rungs(rung_levels(epochs=27, grace_period=3, reduction_factor=3), reduction_factor=3)
    if rungs.record(number=4, epoch=3, value=0.31) is Decision.WAIT: ...   # its worker is free
    while (number := rungs.promotable()) is not None:                      # a worker is free
        rungs.promote(number)                                              # it trains on from the rung
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

_ROUNDING = 1e-9  # 27 / 1.5 ** 3 is 8 and a little less than that


class Decision(Enum):
    """What becomes of a trial that has reported."""

    GO_ON = "go on"
    """It trains its next epoch."""
    WAIT = "wait"
    """It is paused until it is promoted."""
    STOP = "stop"
    """It ends."""


ValueT = TypeVar("ValueT")
"""What a trial reports: a number, or a number for each of several goals."""


class Past(NamedTuple, Generic[ValueT]):
    """What is left of a trial of an earlier driver.

    Attributes:
        number:
            The trial.
        values:
            Its value at each epoch; those that are no finite numbers are passed over.
        paused_at:
            Epoch of the rung at which it waits. None for one that trains, or has ended: it is never promoted from the
            rungs that it has reached.
        judged:
            Whether it came as far as it did because rungs let it: not one that was spared them or trained elsewhere.
    """

    number: int
    values: Mapping[int, ValueT]
    paused_at: int | None = None
    judged: bool = True


class Rung(Protocol):
    """Who has reached a rung, in which order of rank, and who waits there."""

    def __contains__(self, number: object) -> bool:
        """Whether a trial has reached it."""
        ...

    def wait(self, number: int) -> None:
        """A trial that is here waits from now on."""
        ...

    def leave(self, number: int) -> None:
        """A trial waits no longer."""
        ...

    def first_waiting(self) -> int | None:
        """The best that waits; None where nobody does."""
        ...

    def promotable(self, reduction_factor: float) -> Iterator[int]:
        """Those that wait and are among the best, the best first."""
        ...


RungT = TypeVar("RungT", bound=Rung)


def places(trials: int, reduction_factor: float) -> int:
    """How many of the trials of a rung are promoted."""
    return math.floor(trials / reduction_factor + _ROUNDING)


class Place(NamedTuple):
    """A trial in a rung; the smaller place is the better one, the earlier trial among equals."""

    loss: float
    number: int


class ValueRung:
    """A rung whose trials are ranked by one value. What a call costs is a binary search."""

    def __init__(self) -> None:
        self.places: dict[int, Place] = {}
        self._ranked: list[Place] = []
        self._waiting: list[Place] = []

    def __contains__(self, number: object) -> bool:
        return number in self.places

    def enter(self, number: int, loss: float) -> None:
        """Rank a trial; one that is here already keeps its first value."""
        if number not in self.places:
            self.places[number] = place = Place(loss, number)
            insort(self._ranked, place)

    def wait(self, number: int) -> None:
        """A trial that is here waits from now on."""
        insort(self._waiting, self.places[number])

    def leave(self, number: int) -> None:
        """A trial waits no longer."""
        del self._waiting[bisect_left(self._waiting, self.places[number])]

    def first_waiting(self) -> int | None:
        """The best that waits; None where nobody does."""
        return self._waiting[0].number if self._waiting else None

    def promotable(self, reduction_factor: float) -> Iterator[int]:
        """Those that wait and are among the best, the best first."""
        best = places(len(self._ranked), reduction_factor)
        for place in self._waiting:
            if bisect_left(self._ranked, place) >= best:
                return
            yield place.number


class Ladder(ABC, Generic[ValueT, RungT]):
    """The rungs of a sweep, however trials are ranked on them.

    Args:
        levels:
            Epochs at which trials wait, rising; see :func:`rung_levels`.
        reduction_factor:
            ``eta``: how many trials compete for one place in the next rung.
        make_rung:
            Makes an empty rung.
    """

    def __init__(self, levels: Sequence[int], reduction_factor: float, make_rung: Callable[[], RungT]) -> None:
        self.levels = tuple(levels)
        self._reduction_factor = reduction_factor
        self._rungs = {level: make_rung() for level in self.levels}
        self._waiting: dict[int, int] = {}
        self._repeats: set[int] = set()
        self._finalists: set[int] = set()

    @property
    def waiting(self) -> Mapping[int, int]:
        """The trials that wait, each with the epoch of its rung; not to be changed."""
        return self._waiting

    def has_reached(self, number: int, level: int) -> bool:
        """Whether a trial's value stands at the rung of an epoch."""
        return number in self._rungs[level]

    def load(self, history: Iterable[Past[ValueT]]) -> None:
        """Fill the rungs with what trials of earlier drivers reported."""
        for past in history:
            for epoch, value in sorted(past.values.items()):
                if self._is_finite(value):
                    self._enter(past.number, epoch, value)
            waits = past.paused_at in self._rungs and past.number in self._rungs[past.paused_at]
            if past.paused_at is not None and waits and past.number not in self._finalists:
                self._wait(past.number, past.paused_at)

    def record(self, number: int, epoch: int, value: ValueT) -> Decision:
        """Take a trial's value of an epoch and say what becomes of it.

        A trial goes on from a rung only if it is what :meth:`promotable` would give the worker that it leaves. It is
        promoted then, as if it had been paused and taken up again. A value that is no finite number never enters a
        rung: the trial ends.
        """
        if not self._is_finite(value):
            self.close(number)
            return Decision.STOP
        if number in self._finalists:
            self._enter(number, epoch, value)
            return Decision.GO_ON
        known = epoch in self._rungs and number in self._rungs[epoch] and number not in self._repeats
        self._enter(number, epoch, value)
        if epoch not in self._rungs or known:
            return Decision.WAIT if self._waiting.get(number) == epoch else Decision.GO_ON
        self._repeats.discard(number)
        self._wait(number, epoch)
        self._reached(number, epoch)
        if self.promotable() != number:
            return Decision.WAIT
        self.promote(number)
        return Decision.GO_ON

    def promotable(self) -> int | None:
        """The trial that a free worker takes up again; None where it is to start a new one."""
        return next(self.promotables(), None)

    def promotables(self) -> Iterator[int]:
        """All that could be taken up again, the one that comes first at the front."""
        for level in reversed(self._open_levels()):
            yield from self._rungs[level].promotable(self._reduction_factor)

    def promote(self, number: int) -> int:
        """A worker takes up a trial that waits.

        Returns:
            The epoch of the rung that it leaves.
        """
        epoch = self._waiting.pop(number)
        self._rungs[epoch].leave(number)
        return epoch

    def finalist(self) -> int | None:
        """The best that waits at the highest rung at which one does."""
        waiting = (self._rungs[level].first_waiting() for level in reversed(self.levels))
        return next((number for number in waiting if number is not None), None)

    def release(self, number: int) -> None:
        """A trial is trained to its end and judged at no rung any more; its values count for the others."""
        if number in self._waiting:
            self.promote(number)
        self._finalists.add(number)

    def repeat(self, number: int) -> None:
        """A trial that waits trains up to its rung once more: its worker died before it had kept a checkpoint.

        There it is judged again, by the value that it has.
        """
        if number in self._waiting:
            self.promote(number)
            self._repeats.add(number)

    def close(self, number: int) -> None:
        """A trial has ended, or is held by the budget; its values stay, and so does its release."""
        self._repeats.discard(number)
        if number in self._waiting:
            self.promote(number)

    def _open_levels(self) -> Sequence[int]:
        """The rungs from which trials are promoted, rising."""
        return self.levels

    def _reached(self, number: int, level: int) -> None:
        """A trial has reached a rung; a subclass may let trials go further from now on."""

    @abstractmethod
    def _is_finite(self, value: ValueT) -> bool:
        """Whether a value can be ranked."""

    @abstractmethod
    def _enter(self, number: int, epoch: int, value: ValueT) -> None:
        """Take a value in; an epoch at which there is no rung may be passed over."""

    def _wait(self, number: int, epoch: int) -> None:
        self._waiting[number] = epoch
        self._rungs[epoch].wait(number)


class Rungs(Ladder[float, ValueRung]):
    """The rungs of a sweep that ranks trials by one value.

    What a call costs does not depend on how many trials there are, but for a binary search.

    Args:
        levels:
            Epochs at which trials wait, rising; see :func:`rung_levels`.
        reduction_factor:
            ``eta``: how many trials compete for one place in the next rung.
        mode:
            Whether more (``max``) or less (``min``) of a value is better.
    """

    def __init__(self, levels: Sequence[int], reduction_factor: float, mode: Literal["max", "min"] = "max") -> None:
        super().__init__(levels, reduction_factor, ValueRung)
        self._sign = -1.0 if mode == "max" else 1.0

    def _is_finite(self, value: float) -> bool:
        return math.isfinite(value)

    def _enter(self, number: int, epoch: int, value: float) -> None:
        if epoch in self._rungs:
            self._rungs[epoch].enter(number, self._sign * value)


def rung_levels(epochs: int, grace_period: int, reduction_factor: float) -> tuple[int, ...]:
    """The epochs at which trials wait: ``grace_period * reduction_factor ** k``, rounded up, below ``epochs``."""
    levels: list[int] = []
    while True:
        level = math.ceil(grace_period * reduction_factor ** len(levels) - _ROUNDING)
        if level >= epochs:
            return tuple(dict.fromkeys(levels))
        levels.append(level)
