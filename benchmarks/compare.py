"""How often `hypsweep compare` calls an arm better or worse that is not (error), and finds one that is (power).

Simulated comparisons with the real rule (search.compare.standing): values = reference + gain + seed + noise, rounds of
seeds until every arm's standing is known or the seeds end. Beside it, on the same values, what people do by hand: a
paired t test of each arm at 5 % after every round, until each one tells. Prints one JSON line last: for each world the
share of comparisons with at least one wrong call (better, worse, or no difference where there is one of at least the
smallest that matters), the share of arms called rightly, and trainings over those that all arms with all seeds take.

Usage: python benchmarks/compare.py [--comparisons N] [--max-seeds N]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from search.compare.standing import Standing, stand
from search.confirm.compare import Scores
from search.confirm.verdict import Rule

REFERENCE, SD = 0.193, 0.015
"""Fitness of the default hyp and its standard deviation over seeds, as measured on livestock_a (DESIGN.md)."""
STEP = 3
"""Seeds of the first round, the product's default."""
Judge = Callable[[Scores, Sequence[int], Rule], Mapping[int, Standing]]


@dataclass(frozen=True, kw_only=True)
class World:
    """Where comparisons are simulated.

    Attributes:
        gains:
            True gain of each arm over the reference.
        seed_sd:
            What a seed does to all arms alike.
        sds:
            Noise of a training as a factor of ``SD``, the reference's first; None: 1 for all.
    """

    gains: tuple[float, ...]
    seed_sd: float = 0.0
    sds: tuple[float, ...] | None = None


WORLDS = {
    "3 equal": World(gains=(0, 0, 0)),
    "7 equal": World(gains=(0,) * 7),
    "3 equal, seeds matter": World(gains=(0, 0, 0), seed_sd=0.03),
    "3 equal, sd times 0.5 to 2": World(gains=(0, 0, 0), sds=(1, 0.5, 1, 2)),
    "2 worse by 0.02": World(gains=(-0.02, -0.02)),
    "+0.02, -0.02, -0.04": World(gains=(0.02, -0.02, -0.04)),
    "1 better by 0.04": World(gains=(0.04,)),
    "2 worse by 0.1": World(gains=(-0.1, -0.1)),
}


def ours(scores: Scores, looks: Sequence[int], rule: Rule) -> Mapping[int, Standing]:
    """What the product says."""
    return {arm: found.standing for arm, found in stand(scores, looks, rule).arms.items()}


def paired_tests(scores: Scores, looks: Sequence[int], rule: Rule) -> Mapping[int, Standing]:
    """A paired t test of each arm at 5 % at each look, the first that tells counts."""
    found = {}
    for arm in scores:
        if arm == 0:
            continue
        found[arm] = Standing.UNDECIDED
        for look in looks:
            if len(scores[arm]) < look:
                break
            pairs = np.array([scores[arm][:look], scores[0][:look]], dtype=float)
            test = stats.ttest_rel(*pairs)
            if test.pvalue < rule.error:
                found[arm] = Standing.BETTER if test.statistic > 0 else Standing.WORSE
                break
    return found


def simulate(world: World, rule: Rule, judge: Judge, generator: np.random.Generator) -> tuple[list[Standing], int]:
    """One comparison: how its arms stand in the end, and how many trainings it took."""
    true = np.array([0.0, *world.gains])
    noise = SD * np.array(world.sds or (1,) * len(true))
    values: dict[int, list[float | None]] = {arm: [] for arm in range(len(true))}
    looks: list[int] = []
    standing: Mapping[int, Standing] = {arm: Standing.UNDECIDED for arm in values if arm}
    while (look := rule.next_look(looks)) is not None and not all(each.is_final for each in standing.values()):
        for _ in range(look - (looks[-1] if looks else 0)):
            drawn = REFERENCE + true + generator.normal(0, noise) + generator.normal(0, world.seed_sd)
            for arm, value in enumerate(drawn):
                if arm == 0 or not standing[arm].is_final:
                    values[arm].append(float(value))
        looks.append(look)
        standing = judge(values, looks, rule)
    return [standing[arm] for arm in sorted(standing)], sum(map(len, values.values()))


def right(gain: float, smallest: float) -> tuple[Standing, ...]:
    """What may be said of an arm with a true gain."""
    if gain == 0:
        return (Standing.SAME, Standing.UNDECIDED)
    told = Standing.BETTER if gain > 0 else Standing.WORSE
    return (told, Standing.UNDECIDED) if abs(gain) >= smallest else (told, Standing.SAME, Standing.UNDECIDED)


def share(world: World, rule: Rule, judge: Judge, comparisons: int) -> dict[str, float]:
    """Shares over simulated comparisons; another judge gets the same random stream."""
    wrong, told, trainings = 0, 0, 0
    for number in range(comparisons):
        found, count = simulate(world, rule, judge, np.random.default_rng([7, number]))
        legal = [right(gain, rule.smallest_gain) for gain in world.gains]
        wrong += any(standing not in may for standing, may in zip(found, legal, strict=True))
        told += sum(standing == may[0] for standing, may in zip(found, legal, strict=True))
        trainings += count
    arms = len(world.gains)
    return {
        "wrong": round(wrong / comparisons, 4),
        "told": round(told / comparisons / arms, 4),
        "trainings": round(trainings / comparisons / (rule.most * (arms + 1)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=1000)
    parser.add_argument("--max-seeds", type=int, default=[6, 12], nargs="+")
    options = parser.parse_args()
    found = {}
    for most in options.max_seeds:
        for name, world in WORLDS.items():
            row = {
                judge.__name__: share(world, Rule(step=STEP, most=most), judge, options.comparisons)
                for judge in (ours, paired_tests)
            }
            found[f"{name}, {most} seeds"] = row
            print(f"{name + ', ' + str(most) + ' seeds':40s} {row}", flush=True)
    print(json.dumps({"comparisons": options.comparisons, "sd": SD, "shares": found}))


if __name__ == "__main__":
    main()
