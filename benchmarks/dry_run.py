"""What `hypsweep sweep --dry-run` says beside what the sweep then takes: hours, epochs, disk.

Runs the dry run, then the sweep with the same configuration, on a subset of the given pictures or a drawn herd. Disk is
looked at once a second while the sweep runs. Prints one JSON line last, with estimate / actual for each.

Usage: python benchmarks/dry_run.py [--data .../data.yaml] [--weights .../yolov5n.pt] [--images 200] [--trials 12]
       [--epochs 6] [--scheduler asha] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from epoch import pictures
from rich.console import Console

from search.budget.display import estimate_table
from search.budget.dry_run import dry_run
from search.config import SweepConfig, load_sweep_config
from search.status import sweep_status
from search.storage import stored_bytes
from search.sweep import run_sweep

SPACE = Path(__file__).resolve().parents[1] / "configs/spaces/yolov5.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--scheduler", default="asha")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config, run = configuration(arguments, folder), folder / "run"
        estimate = dry_run(config, run)
        estimate_table(Console(width=120), estimate)
        with peak_of_checkpoints(run / "ray") as peak:
            run_sweep(config, run)
        status = sweep_status(run)
        hours = next(state.used for state in status.budget if state.name == "hours")
    actual = {"hours": hours or 0.0, "epochs": status.epochs_run, "disk_bytes": peak[0] + estimate.measured.image_bytes}
    expected = {"hours": estimate.hours, "epochs": estimate.expected.epochs, "disk_bytes": estimate.disk_bytes}
    seconds = status.table["seconds"].sum() / status.epochs_run
    print(json.dumps({
        "benchmark": "dry_run", "scheduler": arguments.scheduler, "trials": arguments.trials, "slots": estimate.slots,
        "epoch_s": {"expected": round(estimate.measured.epoch_seconds, 2), "actual": round(float(seconds), 2)},
        "expected": {name: round(value, 4) for name, value in expected.items()},
        "actual": {name: round(value, 4) for name, value in actual.items()},
        "expected_over_actual": {name: round(expected[name] / actual[name], 3) for name in expected},
        "epochs_range": [estimate.expected.least, estimate.expected.most], "states": status.states,
    }))  # fmt: skip


def configuration(arguments: argparse.Namespace, folder: Path) -> SweepConfig:
    """Small trainings of all hyps; the budget is there to be measured, not to end anything."""
    train = {
        "model": "yolov5n", "image_size": 128, "batch_size": 16, "epochs": arguments.epochs, "nominal_batch_size": 16,
        "min_warmup_iterations": 10, "cache_dir": str(folder / "cache"), "device": "cpu",
    }  # fmt: skip
    if arguments.weights:
        train["weights"] = str(arguments.weights.absolute())
    values = {
        "name": "dry-run", "data": str(pictures(arguments, folder)), "space": str(SPACE), "train": train,
        "trials": arguments.trials, "scheduler": {"type": arguments.scheduler, "grace_period": 1},
        "budget": {"hours": 24}, "seed": arguments.seed,
    }  # fmt: skip
    (folder / "sweep.yaml").write_text(yaml.safe_dump(values))
    return load_sweep_config(folder / "sweep.yaml")


@contextmanager
def peak_of_checkpoints(root: Path) -> Iterator[list[int]]:
    """The most bytes of checkpoints that lie there at a time, as the one entry of a list."""
    most, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(1.0):
            try:
                most[0] = max(most[0], sum(stored_bytes(str(root)).values()))
            except OSError:
                continue  # a file went away while it was listed

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


if __name__ == "__main__":
    main()
