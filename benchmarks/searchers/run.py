"""Runs methods on the recorded curves, many seeds each, and appends one line of JSON per run to a file.

Each seed has its own surrogate (see ``surrogate.py``), the same for all methods. Started again, the script does what is
missing. Prints one JSON line last; ``python -m benchmarks.searchers.table`` makes the table and the plot.

Usage: python -m benchmarks.searchers.run --out runs.jsonl [--methods NAME ...] [--starts default poor] [--slots 1 4]
       [--seeds 0 30] [--budget 1200] [--world gp]
"""

from __future__ import annotations

import argparse
import json
import logging
import time
import warnings
from pathlib import Path

import optuna

from benchmarks.searchers.methods import METHODS
from benchmarks.searchers.simulate import simulate
from benchmarks.searchers.space import STARTS
from benchmarks.searchers.surrogate import WORLDS, Surrogate

Key = tuple[str, str, int, int, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="NAME")
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--slots", nargs="+", type=int, default=[1])
    parser.add_argument("--seeds", nargs=2, type=int, default=[0, 30], metavar=("FIRST", "END"))
    parser.add_argument("--budget", type=int, default=1200)
    parser.add_argument("--world", choices=WORLDS, default="gp")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    done, ran = recorded(arguments.out), 0
    for seed in range(*arguments.seeds):
        world: Surrogate | None = None
        for name in arguments.methods:
            for start in arguments.starts:
                for slots in arguments.slots:
                    if (name, start, slots, seed, arguments.budget) in done:
                        continue
                    world = world or made(arguments.world, seed, arguments.out)
                    append(arguments.out, one(name, start, slots, seed, arguments.budget, world))
                    ran += 1
    print(json.dumps({"benchmark": "searchers.run", "ran": ran, "recorded": len(recorded(arguments.out))}))


def made(kind: str, seed: int, out: Path) -> Surrogate:
    """A world whose best point, which takes a second to find, is kept beside the runs."""
    world, kept = WORLDS[kind](seed), out.with_suffix(f".{kind}.best.json")
    known = json.loads(kept.read_text()) if kept.is_file() else {}
    if str(seed) in known:
        world.best = tuple(known[str(seed)])
    else:
        kept.write_text(json.dumps(known | {str(seed): world.best}))
    return world


def one(name: str, start: str, slots: int, seed: int, budget: int, world: Surrogate) -> dict[str, object]:
    began = time.process_time()
    trace = simulate(METHODS[name](STARTS[start], seed, budget), world, seed=seed, slots=slots, budget=budget)
    return {
        "method": name, "start": start, "slots": slots, "seed": seed, "budget": budget,
        "trials": trace.trials, "finished": trace.finished, "best_seen": round(trace.best_seen, 5),
        "cpu": round(time.process_time() - began, 2), "epochs": trace.epochs,
        "regrets": [round(regret, 5) for regret in trace.regrets],
    }  # fmt: skip


def recorded(out: Path) -> set[Key]:
    if not out.is_file():
        return set()
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return {(row["method"], row["start"], row["slots"], row["seed"], row["budget"]) for row in rows}


def append(out: Path, row: dict[str, object]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
