"""The default searcher, classic evolve and Ray's OptunaSearch + ASHA on real trainings, some epochs each in turn.

Trains livestock_a as the recorded curves were (pretrained yolov5n, 256 pictures at 128 px, 20 epochs, fast path), one
training at a time. Every epoch's fitness goes to ``epochs.jsonl`` in ``--out`` with a checkpoint beside it; started
again, the searchers are replayed on what is recorded (they are deterministic) and go on from there. ``epochs.jsonl``
alone is enough for that: a paused training whose checkpoint is gone is trained again up to where it was. What each
method would pick at each budget is judged by trainings with seeds that the search never used.

Prints one JSON line after each round of budgets; the last one counts.

Usage: python -m benchmarks.searchers.live --data .../data.yaml --weights .../yolov5n.pt --out DIR [--budget 240]
       [--step 40] [--judges 2]
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import logging
import math
import shutil
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import optuna
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # record_curves is a script
from record_curves import subset

from benchmarks.searchers.methods import METHODS
from benchmarks.searchers.simulate import Hyp, Trace, simulate
from benchmarks.searchers.space import DEFAULT, EPOCHS
from data_prep.errors import DivergedError
from trainable.dataset import DataStore
from trainable.hyp import Hyp as YoloHyp
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings

SHOWN = ("tpe + curve_gp", "classic", "ray_optuna_asha")


class Trainings:
    """Real trainings by hyp and seed, each epoch trained once and kept."""

    def __init__(self, settings: TrainSettings, folder: Path) -> None:
        self._settings, self._folder, self._store = settings, folder, DataStore()
        self._file = folder / "epochs.jsonl"
        self._known: dict[tuple[str, int], list[float]] = {}
        self._at_work: tuple[str, int] | None = None
        self._loop: EpochLoop | None = None
        rows = self._file.read_text().splitlines() if self._file.is_file() else []
        for row in map(json.loads, rows):
            self._known.setdefault((row["key"], row["seed"]), []).append(row["fitness"])

    @property
    def epochs(self) -> int:
        return sum(map(len, self._known.values()))

    def value(self, hyp: Hyp, seed: int, epoch: int) -> float:
        """Fitness of an epoch, trained now if it never was; NaN from where the training diverged."""
        key = hashlib.sha256(json.dumps(dict(sorted(hyp.items()))).encode()).hexdigest()[:12]
        values = self._known.setdefault((key, seed), [])
        while len(values) < epoch:
            if values and math.isnan(values[-1]):
                return math.nan
            values.append(self._train(key, hyp, seed, len(values)))
            with self._file.open("a") as file:
                file.write(json.dumps({"key": key, "seed": seed, "epoch": len(values), "fitness": values[-1]}) + "\n")
        return values[epoch - 1]

    def _train(self, key: str, hyp: Hyp, seed: int, done: int) -> float:
        place = self._folder / "checkpoints" / f"{key}_{seed}"
        if self._at_work != (key, seed) or self._loop is None or self._loop.epoch != done:
            settings = dataclasses.replace(self._settings, seed=seed)
            self._loop = EpochLoop(settings, YoloHyp(**hyp), self._store)
            self._at_work = (key, seed)
            if place.is_dir():
                self._loop.load(place)
            while self._loop.epoch < done:  # on another machine its checkpoint is gone
                self._loop.run_epoch()
        try:
            fitness = float(self._loop.run_epoch().as_dict()["fitness"])
        except DivergedError:
            return math.nan
        if done + 1 < EPOCHS:
            place.mkdir(parents=True, exist_ok=True)
            self._loop.save(place)
        else:
            shutil.rmtree(place, ignore_errors=True)
        return fitness


class Curve:
    """A curve whose epochs are trained when they are looked at."""

    def __init__(self, trainings: Trainings, hyp: Hyp) -> None:
        self._trainings, self._hyp = trainings, hyp

    def __getitem__(self, index: int) -> float:
        return self._trainings.value(self._hyp, 0, index + 1)


class LiveWorld:
    """Stands where the surrogate stands; nobody knows the truth here."""

    best: tuple[float, Mapping[str, float]] = (0.0, {})

    def __init__(self, trainings: Trainings) -> None:
        self._trainings = trainings

    def train(self, hyp: Hyp, _: np.random.Generator) -> Curve:
        return Curve(self._trainings, hyp)

    def quality(self, _: Hyp) -> float:
        return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--budget", type=int, default=240)
    parser.add_argument("--step", type=int, default=40)
    parser.add_argument("--judges", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    arguments.out.mkdir(parents=True, exist_ok=True)
    settings = TrainSettings(
        data=str(subset(arguments.data, arguments.out)), epochs=EPOCHS, model="yolov5n", weights=str(arguments.weights),
        image_size=128, batch_size=16, device="cpu", path="fast",
    )  # fmt: skip
    trainings = Trainings(settings, arguments.out)
    found: dict[str, dict[str, object]] = {name: {} for name in SHOWN}
    for budget in range(arguments.step, arguments.budget + 1, arguments.step):
        for name in SHOWN:
            searcher = METHODS[name](DEFAULT, arguments.seed, arguments.budget)
            trace = simulate(searcher, LiveWorld(trainings), seed=arguments.seed, slots=1, budget=budget)  # type: ignore[arg-type]
            found[name][str(budget)] = judged(trace, trainings, arguments.judges)
        print(json.dumps({"benchmark": "searchers.live", "epochs_trained": trainings.epochs, **found}), flush=True)


def judged(trace: Trace, trainings: Trainings, judges: int) -> dict[str, object]:
    """What was picked, what the search saw of it, and what new seeds say of it."""
    pick = trace.picks[-1]
    values = [trainings.value(pick, seed, EPOCHS) for seed in range(1, judges + 1)]
    return {
        "trials": trace.trials, "finished": trace.finished,
        "is_default": dict(pick) == DEFAULT, "judged": [round(value, 4) for value in values],
        "mean": round(float(np.mean(values)), 4),
    }  # fmt: skip


if __name__ == "__main__":
    main()
