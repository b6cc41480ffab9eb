"""YOLOv5's own two evolutions, in our words, and what needs no library: random search and one epoch first.

``classic`` is ``--evolve`` of the ``yolov5`` package 7.0.14 (train.py, "Evolve hyperparameters"), ``population`` that
of github.com/ultralytics/yolov5 at 5081342 (master of August 2026; the scheme came in 2024), whose fitness is mAP50 and
here the curves' fitness. Both train one configuration at a time to its last epoch, in a loop that waits for it; with
several slots they still use one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator

import numpy as np

from benchmarks.searchers.simulate import Book, Hyp
from benchmarks.searchers.space import BOUNDS, EPOCHS, GAINS, NAMES, params

Proposals = Generator[Hyp, float, None]


class Sequential:
    """A method that is a loop over full trainings: it yields a hyp and is sent its fitness."""

    def __init__(self, proposals: Proposals) -> None:
        self._proposals, self._book = proposals, Book()
        self._next: Hyp | None = next(proposals)

    def next(self) -> tuple[int, Hyp] | None:
        if self._next is None:
            return None
        hyp, self._next = self._next, None
        return self._book.add(hyp), hyp

    def report(self, number: int, epoch: int, value: float) -> bool:
        value = 0.0 if math.isnan(value) else value  # what YOLOv5's validation says of NaN weights
        self._book.note(number, value)
        if epoch == EPOCHS:
            self._next = self._proposals.send(value)
        return True

    def pick(self) -> Hyp | None:
        return self._book.pick()


def classic(start: Hyp, seed: int) -> Proposals:
    """The classic scheme as YOLOv5 has it: a table of results, the best five, one by weight, mutated."""
    rng = np.random.default_rng(seed)
    gains = np.array([GAINS[name] for name in NAMES])
    table: list[tuple[float, np.ndarray]] = []
    hyp = np.array([start[name] for name in NAMES])
    while True:
        bounded = {}
        for name, value in zip(NAMES, hyp, strict=True):
            low, high, _ = BOUNDS[name]
            bounded[name] = round(min(max(float(value), low), high), 5)
        table.append(((yield bounded), np.array(list(bounded.values()))))
        best = sorted(table, key=lambda row: -row[0])[:5]
        fitness = np.array([row[0] for row in best])
        weights = fitness - fitness.min() + 1e-6
        parent = best[rng.choice(len(best), p=weights / weights.sum())][1]
        factors = np.ones(len(NAMES))
        while (factors == 1).all():
            mutates = rng.random(len(NAMES)) < 0.8
            factors = (gains * mutates * rng.standard_normal(len(NAMES)) * rng.random() * 0.2 + 1).clip(0.3, 3.0)
        hyp = parent * factors


def population(start: Hyp, seed: int, *, generations: int, size: int = 50) -> Proposals:
    """The population scheme: tournaments, elites, one-point crossover, mutation by up to 0.1 of any gene's own unit.

    All ten genes are switched on (as shipped, only augmentation is); the start is in the first population.
    """
    rng = random.Random(seed)
    bounds = [BOUNDS[name][:2] for name in NAMES]
    people = [[start[name] for name in NAMES]]
    people += [[rng.uniform(low, high) for low, high in bounds] for _ in range(size - 1)]
    for generation in range(1_000_000):
        done = min(generation / generations, 1.0)
        scores = []
        for person in people:
            score = yield dict(zip(NAMES, person, strict=True))
            scores.append(score)
        elites = 2 + int(3 * done)
        rounds = max(2, int(min(10, size) - 10 * done))
        chosen = []
        for _ in range(size - elites):
            group = rng.sample(range(size), rounds)
            chosen.append(max(group, key=lambda member: scores[member]))
        chosen += sorted(range(size), key=lambda member: -scores[member])[:elites]
        children = []
        for _ in range(size):
            mother, father = (people[rng.choice(chosen)] for _ in range(2))
            crossed = rng.random() < max(0.5, 1 - done)
            point = rng.randint(1, len(NAMES) - 1)
            child = mother[:point] + father[point:] if crossed else list(mother)
            for gene, (low, high) in enumerate(bounds):
                if rng.random() < max(0.01, 0.5 - done):
                    child[gene] = min(max(child[gene] + rng.uniform(-0.1, 0.1), low), high)
            children.append(child)
        people = children


class OneEpochFirst:
    """Rounds of one epoch for ``width`` random configurations, then full trainings of the best ``kept`` of them."""

    def __init__(self, start: Hyp, seed: int, width: int = 40, kept: int = 2) -> None:
        self._rng, self._book = np.random.default_rng(seed), Book()
        self._width, self._kept = width, kept
        self._start: Hyp | None = start
        self._round: dict[int, float] = {}
        self._open, self._promoted = 0, []

    def next(self) -> tuple[int, Hyp] | None:
        if self._promoted:
            number = self._promoted.pop()
            return number, self._book.hyps[number]
        if self._open == self._width:
            return None
        hyp = self._start or params(self._rng.random(len(NAMES)))
        self._start, self._open = None, self._open + 1
        return self._book.add(hyp), hyp

    def report(self, number: int, epoch: int, value: float) -> bool:
        value = 0.0 if math.isnan(value) else value
        self._book.note(number, value)
        if epoch > 1:
            return True
        self._round[number] = value
        if len(self._round) == self._width:
            self._promoted = sorted(self._round, key=lambda n: self._round[n])[-self._kept :]
            self._round, self._open = {}, 0
        return False

    def pick(self) -> Hyp | None:
        return self._book.pick()


class Random(Sequential):
    """Full trainings of random configurations, the start first; any number of slots."""

    def __init__(self, start: Hyp, seed: int) -> None:
        self._rng, self._book, self._start = np.random.default_rng(seed), Book(), start
        self._first = True

    def next(self) -> tuple[int, Hyp] | None:
        hyp = self._start if self._first else params(self._rng.random(len(NAMES)))
        self._first = False
        return self._book.add(hyp), hyp

    def report(self, number: int, epoch: int, value: float) -> bool:  # noqa: ARG002 - every searcher hears it
        self._book.note(number, 0.0 if math.isnan(value) else value)
        return True
