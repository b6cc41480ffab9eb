"""`hypsweep sweep CONFIG --dry-run`: what a sweep will take, beside its budget, without beginning it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import InputError
from search import runtime
from search.assembly import Sweep
from search.budget.expected import Costs, Expected, SimulatedSweep, expect
from search.budget.measure import Measured, measure
from search.budget.report import HOUR
from search.checkpoints import KEPT_CHECKPOINTS
from search.config import SweepConfig
from search.drivers import driver
from search.options import Options
from search.optuna_log import quiet_optuna
from search.paths import is_uri
from search.sweep import check_machines, check_new, new_folder

COSTLY = ("model", "image_size", "batch_size")
"""Searched settings that change what an epoch takes: only the values of trial 0 are measured."""


@dataclass(frozen=True)
class Verdict:
    """A budget beside what the sweep is expected to take.

    Attributes:
        name:
            Key in ``budget``, or ``trials``.
        budget:
            What was configured.
        expected:
            What the whole sweep would take of it; None where nobody can know (a target, a plateau).
    """

    name: str
    budget: float
    expected: float | None

    @property
    def fits(self) -> bool | None:
        """Whether it is enough; None where nobody can know."""
        return None if self.expected is None else self.expected <= self.budget

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        over = max(self.expected - self.budget, 0.0) if self.expected is not None else None
        return {**asdict(self), "fits": self.fits, "exceeds_by": over}


@dataclass(frozen=True)
class Estimate:
    """What a sweep will take.

    Attributes:
        config:
            The sweep.
        slots:
            Trials at a time on the machines as they are.
        gpus:
            GPUs of one trial.
        measured:
            What a trial was measured to take.
        expected:
            What all trials will take.
        searched:
            Searched settings that change what an epoch takes, with the values that were measured.
    """

    config: SweepConfig
    slots: int
    gpus: float
    measured: Measured
    expected: Expected
    searched: Mapping[str, Any]

    @property
    def hours(self) -> float:
        """Wall-clock hours."""
        return self.expected.seconds / HOUR

    @property
    def gpu_hours(self) -> float:
        """Hours of training times GPUs."""
        return self.expected.epochs * self.measured.epoch_seconds * self.gpus / HOUR

    @property
    def checkpoints(self) -> int:
        """About how many checkpoints lie in the storage when they are most."""
        config, most = self.config, KEPT_CHECKPOINTS * self.config.trials
        best = config.trials if config.keep_best_checkpoints is None else config.keep_best_checkpoints
        bound = most if config.max_paused_checkpoints is None else KEPT_CHECKPOINTS * config.max_paused_checkpoints
        at_work = min(self.slots, config.trials) * KEPT_CHECKPOINTS
        return min(at_work + best + min(math.ceil(self.expected.waiting), bound), most)

    @property
    def disk_bytes(self) -> int:
        """Bytes of these checkpoints, and of the images that all trials share."""
        return self.checkpoints * self.measured.checkpoint_bytes + self.measured.image_bytes

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Each budget beside what is expected."""
        config = self.config
        expected = {"epochs": self.expected.epochs, "hours": self.hours, "gpu_hours": self.gpu_hours}
        limits = {name: getattr(config.budget, name) for name in config.budget.names}
        if config.budget.plateau is not None:
            limits["plateau"] = config.budget.plateau.trials
        return tuple(Verdict(name, limit, expected.get(name)) for name, limit in limits.items())

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        expected = self.expected
        return {
            "name": self.config.name,
            "trials": self.config.trials,
            "epochs_per_training": self.config.epochs,
            "slots": self.slots,
            "expected": {
                "epochs": expected.epochs,
                "epochs_least": expected.least,
                "epochs_most": expected.most,
                "hours": self.hours,
                "gpu_hours": self.gpu_hours,
                "disk_bytes": self.disk_bytes,
                "checkpoints": self.checkpoints,
                "gpu_memory_peak": self.measured.gpu_memory_peak,
            },
            "measured": asdict(self.measured),
            "searched": dict(self.searched),
            "budget": [verdict.as_dict() for verdict in self.verdicts],
        }


def dry_run(config: SweepConfig, out: str | Path, options: Options | None = None) -> Estimate:
    """Check everything as :func:`search.sweep.run_sweep` does, measure trial 0, and estimate the sweep.

    Nothing is left in ``out``; the decoded images stay in the cache, where the sweep will find them.

    Args:
        config:
            What is to be swept.
        out:
            The sweep's folder.
        options:
            How it is run.

    Raises:
        InputError: Something in the configuration is wrong, or the folder holds a sweep.
        WorkFailedError: The training that was to be measured failed.
    """
    options = options or Options()
    sweep = Sweep(config, Path(out).absolute())
    check_new(sweep)
    with (
        new_folder(sweep.run_dir, keep=False) as folder,
        _removed_again(config.storage_path),
        driver(sweep.run_dir),
        quiet_optuna(),
        runtime.ray_runtime(options.address),
    ):
        folder.is_kept = False
        check_machines(sweep, options)
        return _estimate(sweep, options)


def _estimate(sweep: Sweep, options: Options) -> Estimate:
    config = sweep.config
    nodes = runtime.node_slots(config.resources)
    if not nodes:
        raise InputError("resources: no node of the cluster can hold a trial now: start one, or ask for less.")
    most = min(config.max_concurrent or config.trials, config.trials)
    slots = min(sum(room for _, room in nodes), most)
    node, room = nodes[0]
    gpus = runtime.gpus_per_trial(config.resources)
    start = config.start(sweep.space)
    resources = {"num_cpus": config.resources.cpus, "num_gpus": gpus}
    trial_0 = sweep.plan(config.trials).config_of(0, start, None)
    found = measure(node, min(room, most), resources, options.trainable, trial_0)
    costs = Costs(found.start_seconds, found.restart_seconds, found.epoch_seconds + found.checkpoint_seconds)
    simulated = SimulatedSweep(config.scheduler, config.epochs, config.trials, slots)
    searched = {sweep.space.target(name): value for name, value in start.items() if sweep.space.target(name) in COSTLY}
    return Estimate(config, slots, gpus, found, expect(simulated, costs, config.seed), searched)


@contextmanager
def _removed_again(storage: str | None) -> Iterator[None]:
    """Take away the folder of the checkpoints, if the check of the machines makes it."""
    path = Path(storage) if storage is not None and not is_uri(storage) else None
    made = [folder for folder in (path, *path.parents) if not folder.exists()] if path is not None else []
    try:
        yield
    finally:
        for folder in made:
            with suppress(OSError):  # not made, or somebody uses it by now
                folder.rmdir()
