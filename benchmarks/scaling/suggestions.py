"""What a suggestion and a result cost after 100, 1,000 and 10,000 finished trials: ours and Optuna's own."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from scaling.studies import open_sweep, past, result, sweep_config

from search.journal import JOURNAL
from search.journal_storage import SweepJournal
from search.keys import BEST, LAST
from search.searcher import StudySearcher

EPOCHS = 9
OURS = {
    "curve_gp": ["curve_gp"], "ga": ["ga"], "tpe": ["tpe"], "ga + tpe": ["ga", "tpe"], "default": ["curve_gp", "tpe"],
}  # fmt: skip


class Ours:
    """A sweep's study with its searcher.

    Args:
        config: The sweep.
        run: Its folder, with a study in it.
    """

    def __init__(self, config: Any, run: Path) -> None:
        study, plan = open_sweep(config, run, new=False)
        self._searcher = StudySearcher(study, plan, _nothing, _nothing)  # type: ignore[arg-type]
        self._study, self._plan, self._count = study, plan, 0

    def suggest(self) -> None:
        self._count += 1
        if not isinstance(self._searcher.suggest(str(self._count)), dict):
            raise TypeError("no suggestion")

    def report(self, value: float) -> None:
        self._searcher.on_trial_result(str(self._count), result(1, value))


def _nothing(_: object) -> None:
    """No checkpoint, no crash."""


class Optunas:
    """The same study through Optuna alone: ``study.ask`` with multivariate TPE, and a write for each thing told."""

    def __init__(self, config: Any, run: Path, distributions: dict[str, Any]) -> None:
        backend = JournalFileBackend(str((run / JOURNAL).resolve()))
        sampler = TPESampler(seed=0, multivariate=True, constant_liar=True)
        self._study = optuna.load_study(study_name=config.name, storage=JournalStorage(backend), sampler=sampler)
        self._distributions = distributions

    def suggest(self) -> None:
        self._trial = self._study.ask(self._distributions)

    def report(self, value: float) -> None:
        self._trial.report(value, 1)
        self._trial.set_user_attr(LAST, {"epoch": 1, "metrics": result(1, value)})
        self._trial.set_user_attr(BEST, {"epoch": 1, "metrics": result(1, value)})


def measure(folder: Path, sizes: list[int], repeats: int) -> dict[str, Any]:
    """Milliseconds by size, side and call, the sides in turn."""
    found: dict[str, Any] = {}
    for size in sizes:
        base = folder / str(size)
        configs = {n: sweep_config(base / n, epochs=EPOCHS, trials=10**6, members=m) for n, m in OURS.items()}
        distributions = _fill(configs["ga"], base, size)
        sides: dict[str, Ours | Optunas] = {name: Ours(config, base / name) for name, config in configs.items()}
        sides["optuna_tpe"] = Optunas(configs["ga"], base / "optuna_tpe", distributions)
        found[str(size)] = _in_turn(sides, repeats)
        shutil.rmtree(base)
        for name, calls in found[str(size)].items():
            print(f"{size:6d} finished, {name:10s}", calls, flush=True)
    return found


def _fill(config: Any, base: Path, size: int) -> dict[str, Any]:
    """Write one journal with that many finished trials and give each side a copy."""
    study, plan = open_sweep(config, base / "made", new=True)
    distributions = plan.space.distributions()
    study.draw()  # trial 0, and the study is as a sweep leaves it
    storage = SweepJournal((base / "made" / JOURNAL).resolve())
    storage.create_new_trial(0, next(past(distributions, 1, EPOCHS)))
    with storage.together():
        for trial in past(distributions, size - 1, EPOCHS, seed=1):
            storage.create_new_trial(0, trial)
    study.report(0, EPOCHS, 0.1)
    study.finish(0, optuna.trial.TrialState.COMPLETE, 0.1)
    for name in (*OURS, "optuna_tpe"):
        (base / name).mkdir(exist_ok=True)
        shutil.copy(base / "made" / JOURNAL, base / name / JOURNAL)
    return distributions


def _in_turn(sides: dict[str, Any], repeats: int) -> dict[str, Any]:
    times: dict[str, dict[str, list[tuple[float, float]]]] = {n: {"suggest": [], "report": []} for n in sides}
    rng = np.random.default_rng(0)
    for side in sides.values():  # what is built once: caches, views
        for _ in range(4):
            side.suggest()
    for _ in range(repeats):
        for name, side in sides.items():
            value = float(rng.random())
            times[name]["suggest"].append(_timed(side.suggest))
            times[name]["report"].append(_timed(lambda side=side, value=value: side.report(value)))
    return {name: {call: _summary(taken) for call, taken in calls.items()} for name, calls in times.items()}


def _timed(call: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


def _summary(times: list[tuple[float, float]]) -> dict[str, float]:
    wall = sorted(w for w, _ in times)
    return {
        "mean_ms": round(statistics.mean(wall), 1),
        "median_ms": round(statistics.median(wall), 1),
        "p10_ms": round(wall[len(wall) // 10], 1),
        "p90_ms": round(wall[(9 * len(wall)) // 10], 1),
        "cpu_mean_ms": round(statistics.mean(c for _, c in times), 1),
    }
