"""Tunes each arm by itself: a sweep of its own, in which the arm's values are the default."""

from __future__ import annotations

from pathlib import Path

import yaml

from data_prep.errors import StoppedError, WorkFailedError
from search.compare.arms import Arm
from search.compare.config import ComparisonConfig, TuneConfig
from search.compare.words import settings
from search.config import SweepConfig, load_sweep_config
from search.held_sweep import finish_sweep
from search.options import Options
from search.paths import write_text
from search.space import load_space
from trainable.hyp import read_hyp_values

FOLDER = "tune"


def tuned_arm(arm: Arm, config: ComparisonConfig, tune: TuneConfig, run_dir: Path, options: Options) -> Arm:
    """The arm with the values that a sweep of its own found best; what is not done of the sweep is run.

    Raises:
        InputError: The folder holds another sweep of this arm, or something in it is wrong.
        StoppedError: The user pressed Ctrl-C.
        WorkFailedError: No trial has finished an epoch.
    """
    folder = run_dir / FOLDER / arm.name
    sweep = tune_config(arm, config, tune, run_dir)
    options.say(f"{arm.name}: tuned by {sweep.trials} trials in {folder}")
    found = finish_sweep(sweep, folder, options)
    if found.interrupted:
        raise StoppedError(f"the sweep of {arm.name} was stopped.")
    if found.best is None:
        raise WorkFailedError(f"{folder}: no trial of the sweep has finished an epoch; see `hypsweep status {folder}`.")
    hyp, train = load_space(sweep.space).split(found.best.trial.params)
    options.say(f"{arm.name}: tuned to {settings({**hyp, **train})}")
    return arm.with_values(hyp, train)


def tune_config(arm: Arm, config: ComparisonConfig, tune: TuneConfig, run_dir: Path) -> SweepConfig:
    """The sweep of an arm; its hyps are written beside the sweep's folder, for the sweep to start from."""
    start = run_dir / FOLDER / f"{arm.name}.hyp.yaml"
    own = {f"train.{name}": value for name, value in arm.train.items()}
    fixed = {"space": tune.space, "trials": tune.trials, "name": f"{config.name}-{arm.name}"}
    base = load_sweep_config(config.sweep, config.overrides())
    hyp = {**(read_hyp_values(base.hyp) if base.hyp else {}), **arm.hyp}
    if hyp:
        start.parent.mkdir(parents=True, exist_ok=True)
        write_text(start, yaml.safe_dump(hyp, sort_keys=False))
    started = {"hyp": start} if hyp else {}
    return load_sweep_config(config.sweep, config.overrides(own, tune.set, fixed, started))
