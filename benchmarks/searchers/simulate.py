"""Trains configurations on a surrogate under a virtual clock: any searcher, any number of slots, epochs counted."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from benchmarks.searchers.space import EPOCHS
from benchmarks.searchers.surrogate import Surrogate

Hyp = Mapping[str, float]


class Searcher(Protocol):
    """What a search method is here: it gives free slots work, hears of every epoch, and has a favourite."""

    def next(self) -> tuple[int, Hyp] | None:
        """The trial that a free slot takes, new or paused, and its hyp; None where it must wait for a result."""

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Take the fitness of an epoch (NaN: diverged) and say whether the trial trains on."""

    def pick(self) -> Hyp | None:
        """What a user would take by what was seen; None before there is anything."""


@dataclass
class Trace:
    """What a run cost and what it had after each epoch at which its favourite changed."""

    epochs: list[int] = field(default_factory=list)
    regrets: list[float] = field(default_factory=list)
    picks: list[Hyp] = field(default_factory=list)
    trials: int = 0
    finished: int = 0
    best_seen: float = float("inf")
    """Regret of the truly best one among those that ran to their last epoch: what a better pick could have had."""


def simulate(searcher: Searcher, world: Surrogate, *, seed: int, slots: int, budget: int) -> Trace:
    """Let a searcher work until ``budget`` epochs were trained.

    Each epoch takes one tick on any slot; of those that end together, the one that was started first reports first.
    A trial's curve is drawn from the world with the trial's own noise; a paused trial goes on along it.
    """
    curves: dict[int, np.ndarray] = {}
    reached: dict[int, int] = {}
    trace, best = Trace(), world.best[0]
    events: list[tuple[int, int, int]] = []
    clock = order = used = 0
    known: dict[int, float] = {}
    favourite: Hyp | None = None
    while used < budget:
        while len(events) < slots and (work := searcher.next()) is not None:
            number, hyp = work
            if number not in curves:
                curves[number] = world.train(hyp, np.random.default_rng([seed, number, 2]))
                reached[number], known[number] = 0, best - world.quality(hyp)
                trace.trials += 1
            heapq.heappush(events, (clock + 1, order, number))
            order += 1
        if not events:
            break
        clock, _, number = heapq.heappop(events)
        reached[number] += 1
        used += 1
        epoch = reached[number]
        if epoch == EPOCHS:
            trace.finished += 1
            trace.best_seen = min(trace.best_seen, known[number])
        goes_on = searcher.report(number, epoch, float(curves[number][epoch - 1]))
        if goes_on and epoch < EPOCHS:
            heapq.heappush(events, (clock + 1, order, number))
            order += 1
        picked = searcher.pick()
        if picked is not None and picked is not favourite:
            favourite = picked
            trace.epochs.append(used)
            trace.regrets.append(best - world.quality(picked))
            trace.picks.append(picked)
    return trace


class Book:
    """What was reported so far, and the usual favourite: the best at the last epoch, else of those trained longest."""

    def __init__(self) -> None:
        self.hyps: dict[int, Hyp] = {}
        self.values: dict[int, list[float]] = {}
        self._best: tuple[int, float, int] | None = None

    def add(self, hyp: Hyp) -> int:
        number = len(self.hyps)
        self.hyps[number], self.values[number] = hyp, []
        return number

    def note(self, number: int, value: float) -> None:
        self.values[number].append(value)
        place = (len(self.values[number]), value, -number)
        if np.isfinite(value) and (self._best is None or place > self._best):
            self._best = place

    def pick(self) -> Hyp | None:
        return None if self._best is None else self.hyps[-self._best[2]]
