"""A study of 10,000 trials: what a suggestion and a result cost, and whether one driver keeps 500 slots at work.

Without an option: milliseconds per suggestion (its write included) and per result after 100, 1,000 and 10,000 finished
trials of 29 hyps, ours beside Optuna's own multivariate TPE. With ``--simulate``: a sweep of 10,000 trials on 500 slots
under a virtual clock. With ``--ray``: a sweep under a real Ray whose trainable sleeps. With ``--thinning``: what TPE
loses where it sees a sample of its trials. Each prints one JSON line last.

Usage: python benchmarks/scale.py [--simulate | --ray | --thinning] [--trials N] [--slots N] [--repeats N] [--seeds N]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: its threads only wait here

import optuna


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_mutually_exclusive_group()
    for part in ("simulate", "ray", "thinning"):
        parts.add_argument(f"--{part}", action="store_true")
    parser.add_argument("--trials", type=int)
    parser.add_argument("--slots", type=int)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--epoch-seconds", type=float, default=10.0)
    parser.add_argument("--cpu", action="store_true", help="charge processor time and syncs, not the wall clock")
    parser.add_argument("--members", nargs="+", default=["curve_gp", "tpe"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=30)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(_measured(arguments, Path(name))))


def _measured(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    if arguments.simulate:
        from scaling.virtual import simulate

        trials, slots = arguments.trials or 10_000, arguments.slots or 500
        found = simulate(
            folder, trials, slots, arguments.epochs, arguments.epoch_seconds, arguments.members, arguments.cpu
        )
        return {"benchmark": "scale", "part": "simulate", **found}
    if arguments.ray:
        from scaling.sleeping import sweep

        trials, slots = arguments.trials or 160, arguments.slots or 16
        found = sweep(folder, trials, slots, arguments.epochs, arguments.epoch_seconds, arguments.members)
        return {"benchmark": "scale", "part": "ray", **found}
    if arguments.thinning:
        from scaling.thinning import compare

        return {"benchmark": "scale", "part": "thinning", **compare(arguments.seeds)}
    from scaling.suggestions import measure

    return {"benchmark": "scale", "part": "suggestions", **measure(folder, arguments.sizes, arguments.repeats)}


if __name__ == "__main__":
    main()
