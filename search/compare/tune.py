"""Tunes each arm by itself: a sweep of its own, in which the arm as it stands is the default."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from data_prep.errors import InputError, StoppedError, WorkFailedError
from search.assembly import Sweep
from search.compare.arms import Arm
from search.compare.config import ComparisonConfig, TuneConfig
from search.compare.kept import BASE, TUNE, load_base
from search.compare.words import settings
from search.config import SweepConfig, load_sweep_config
from search.held_sweep import finish_sweep
from search.options import Options
from search.paths import write_text
from search.space import Space, load_space

_OF_THE_SIZE = ("model", "anchors")
"""What decides how large the weights are, which is looked at before anything is trained."""


def check_tune(arms: Sequence[Arm], config: ComparisonConfig, tune: TuneConfig) -> None:
    """Check every arm's sweep, without leaving anything.

    Raises:
        InputError: The space, the sweep's settings or an arm's start is wrong; the message names the arm.
    """
    space = load_space(tune.space)
    for arm in arms:
        try:
            _refuse_undoing(arm, space)
            with tempfile.TemporaryDirectory() as folder:
                sweep = Sweep(tune_config(arm, config, tune, Path(folder)), Path(folder))
                sweep.config.start(sweep.space)
        except InputError as error:
            raise InputError(f"tune of arm {arm.name}: {error}") from error


def _refuse_undoing(arm: Arm, space: Space) -> None:
    """Refuse a space that would take from an arm what makes it one; a hyp that is searched starts at the arm's own."""
    fixed = {space.target(name) for name in space.parameters if not space.is_searched(name)}
    undone = [name for name in space.targets() if name in arm.train or (name in fixed and name in arm.hyp)]
    if undone:
        raise InputError(f"the space has {', '.join(undone)}, which the arm sets: take it out of the space.")
    sized = [name for name in space.targets() if name in _OF_THE_SIZE]
    if sized:
        raise InputError(f"the space has {sized[0]}, which decides the size of the weights: make each one an arm.")


def tuned_arm(arm: Arm, config: ComparisonConfig, tune: TuneConfig, run_dir: Path, options: Options) -> Arm:
    """The arm with the values that a sweep of its own found best; what is not done of the sweep is run.

    Raises:
        InputError: The folder holds another sweep of this arm.
        StoppedError: The user pressed Ctrl-C.
        WorkFailedError: No trial has finished an epoch.
    """
    folder = run_dir / TUNE / arm.name
    sweep = tune_config(arm, config, tune, run_dir)
    options.say(f"{arm.name}: tuned by {sweep.trials} trials in {folder}")
    found = finish_sweep(sweep, folder, options)
    if found.interrupted:
        raise StoppedError(f"the sweep of {arm.name} was stopped.")
    if found.best is None:
        raise WorkFailedError(
            f"{folder}: no trial of arm {arm.name} has finished an epoch (see `hypsweep status {folder}`): "
            "leave the arm out in another folder, or narrow the space."
        )
    hyp, train = load_space(sweep.space).split(found.best.trial.params)
    options.say(f"{arm.name}: tuned to {settings({**hyp, **train})}")
    return arm.with_values(hyp, train)


def tune_config(arm: Arm, config: ComparisonConfig, tune: TuneConfig, folder: Path) -> SweepConfig:
    """The sweep of an arm; the hyp that it starts from is written into the folder.

    It is whole, so that trial 0 is what the arm would train untuned, whatever the space has for defaults.
    """
    start = folder / BASE / f"start-{arm.name}.yaml"
    start.parent.mkdir(parents=True, exist_ok=True)
    hyp = {**load_base(config).base_hyp().as_dict(), **arm.hyp}
    write_text(start, yaml.safe_dump(hyp, sort_keys=False))
    own = {f"train.{name}": value for name, value in arm.train.items()}
    fixed = {"space": tune.space, "trials": tune.trials, "name": f"{config.name}-{arm.name}", "hyp": start}
    return load_sweep_config(config.sweep, config.overrides(own, tune.set, fixed))
