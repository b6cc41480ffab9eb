"""How often `hypsweep confirm` promotes: where no hyp is better than the default (error), and where one is (power).

Simulated sweeps: the trials' true quality, their single noisy values, of which the best k become candidates (so each is
flattered), then rounds of seeds until the real rule (search.confirm.verdict) decides or the seeds end. Prints one JSON
line last: shares of `promote`, `keep default`, `undecided` and the mean number of seeds for each setting.

Usage: python benchmarks/confirm.py [--sweeps N] [--trials N] [--top-k K] [--max-seeds N]
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.confirm.verdict import Decision, Rule, Verdict, decide

DEFAULT, SD = 0.193, 0.015
"""Fitness of the default hyp and its standard deviation over seeds, as measured on livestock_a (DESIGN.md)."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Where sweeps are simulated.

    Attributes:
        gains:
            Draws the true gains of trials over the default, shape (trials,).
        seed_sd:
            What a seed does to all hyps alike.
        sds:
            Noise of a training as a factor of ``SD`` by trial; None: 1 for all.
        diverge:
            Probability that a training diverges.
        winner:
            A gain that the best candidate has by all means, whatever was drawn; None: none.
    """

    gains: Callable[[np.random.Generator, int], np.ndarray]
    seed_sd: float = 0.0
    sds: Callable[[np.random.Generator, int], np.ndarray] | None = None
    diverge: float = 0.0
    winner: float | None = None


def simulate(world: World, rule: Rule, generator: np.random.Generator, *, trials: int = 40, top: int = 3) -> Decision:
    """One sweep of single trainings, its best ``top``, and their confirmation, look by look."""
    gains = world.gains(generator, trials)
    sds = SD * (np.ones(trials) if world.sds is None else world.sds(generator, trials))
    chosen = np.argsort(gains + generator.normal(0, sds))[::-1][:top]
    true = np.concatenate([[0.0], gains[chosen]])
    if world.winner is not None:
        true[1] = world.winner
    noise = np.concatenate([[SD], sds[chosen]])
    values: dict[int, list[float | None]] = {number: [] for number in range(top + 1)}
    looks: list[int] = []
    while (look := rule.next_look(looks)) is not None:
        for _ in range(look - (looks[-1] if looks else 0)):
            drawn = DEFAULT + true + generator.normal(0, noise) + generator.normal(0, world.seed_sd)
            for number, value in enumerate(drawn):
                values[number].append(None if generator.random() < world.diverge else float(value))
        looks.append(look)
        decision = decide(values, looks, rule)
        if decision.verdict != Verdict.UNDECIDED:
            break
    return decision


class Equal:
    """Every trial is better than the default by the same gain."""

    def __init__(self, gain: float = 0.0) -> None:
        self._gain = gain

    def __call__(self, _: np.random.Generator, trials: int) -> np.ndarray:
        return np.full(trials, self._gain)


def worse(generator: np.random.Generator, trials: int) -> np.ndarray:
    return -np.abs(generator.normal(0, 0.05, trials))


def noisy(generator: np.random.Generator, trials: int) -> np.ndarray:
    return generator.uniform(0.5, 2.0, trials)


NULLS = {
    "all_equal": World(gains=Equal()),
    "all_equal_seeds_matter": World(gains=Equal(), seed_sd=0.03),
    "others_worse": World(gains=worse),
    "unequal_noise": World(gains=Equal(), sds=noisy),
    "tenth_diverge": World(gains=Equal(), diverge=0.1),
}
"""Worlds in which no hyp is better than the default."""


def share(world: World, rule: Rule, sweeps: int, seed: int, **size: Any) -> dict[str, float]:
    found = [simulate(world, rule, np.random.default_rng([seed, number]), **size) for number in range(sweeps)]
    counts = Counter(str(decision.verdict) for decision in found)
    shares = {str(verdict): round(counts[verdict] / sweeps, 4) for verdict in Verdict}
    return {**shares, "seeds": round(float(np.mean([decision.look for decision in found])), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--top-k", type=int, default=3)
    options = parser.parse_args()
    size = {"trials": options.trials, "top": options.top_k}
    table: dict[str, Any] = {}
    for most in (6, 12, 24):
        rule = Rule(most=most)
        for name, world in NULLS.items():
            table[f"{name}, {most} seeds"] = share(world, rule, options.sweeps, 0, **size)
        for gain in (0.01, 0.02, 0.04):
            for name, world in {
                "one": World(gains=Equal(-0.02), winner=gain),
                "all": World(gains=Equal(gain)),
            }.items():
                table[f"gain {gain} of {name}, {most} seeds"] = share(world, rule, options.sweeps, 1, **size)
    for name, row in table.items():
        print(f"{name:40s} {row}")
    print(json.dumps({"sweeps": options.sweeps, "sd": SD, **size, "shares": table}))


if __name__ == "__main__":
    main()
