"""Runs a sweep, goes on with one, extends one.

A resume builds a fresh Tuner from the study alone; what Ray wrote about an earlier run is never read, because its
snapshots lag behind. So it does not matter whether they are still there.
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

from data_prep.errors import DataMissingError, ImageError, InputError
from search import node_checks, runtime
from search.assembly import Sweep
from search.budget.guard import BudgetGuard, check_gpu_hours
from search.conclusion import SweepResult, conclude
from search.config import SweepConfig, load_sweep_config
from search.config_files import SWEEP_YAML, kept_files
from search.driver import drive
from search.drivers import driver
from search.importing import check_start_from, start_from
from search.journal import JOURNAL
from search.keys import TARGET
from search.known.marks import is_result
from search.opening import load_study
from search.options import Options
from search.optuna_log import quiet_optuna
from search.paths import is_uri, write_text
from search.storage import CHECKPOINTS
from search.study import SweepStudy
from search.widening import widen
from trainable.settings import SILVER, TrainSettings

__all__ = ["Options", "SweepResult", "resume_sweep", "run_sweep"]

_RESUMABLE = (DataMissingError, ImageError)
"""Errors of the input that leave a sweep to go on with, because it was right when the sweep began."""


def run_sweep(config: SweepConfig, out: str | Path, options: Options | None = None) -> SweepResult:
    """Run a new sweep.

    Args:
        config:
            What is swept.
        out:
            The sweep's folder; must not hold a sweep yet.
        options:
            How it is run.

    Raises:
        InputError: Something in the configuration is wrong, or the folder holds a sweep; nothing was changed. Or an
            input proved wrong after an epoch was trained; then the sweep is kept, and a resume goes on with it.
        DataMissingError, ImageError: The data set vanished or broke while the sweep ran; a resume goes on with it.
        WorkFailedError: All trials crash, or Ray gave up.
    """
    options = options or Options()
    sweep = Sweep(config, Path(out).absolute())
    check_new(sweep)
    with (
        new_folder(sweep.run_dir) as folder,
        driver(sweep.run_dir) as me,
        quiet_optuna(),
        runtime.ray_runtime(options.address),
    ):
        folder.is_kept = False
        check_machines(sweep, options)
        for name, text in kept_files(config).items():
            write_text(sweep.run_dir / name, text)
        # From here on the originals are not read: an edit while the sweep runs must not reach into it.
        sweep = Sweep(load_sweep_config(sweep.run_dir / SWEEP_YAML), sweep.run_dir)
        study = sweep.open(me, new=True)
        study.study.set_user_attr(TARGET, config.trials)
        try:
            _start_from(sweep, study, options)
            return drive(sweep, study, config.trials, options)
        except _RESUMABLE:
            raise
        except InputError:
            folder.is_kept = bool(me.others()) or _has_trained(study)
            if not folder.is_kept:
                study.delete()
            raise


def resume_sweep(
    run_dir: str | Path,
    trials: int | None = None,
    options: Options | None = None,
    budget: Sequence[str] = (),
    *,
    join: bool = False,
    space: str | Path | None = None,
) -> SweepResult:
    """Go on with a sweep after a crash or Ctrl-C, extend a finished one, or work on one that another driver works on.

    Args:
        run_dir:
            The sweep's folder.
        trials:
            How many trials to add to those that were planned; None adds none.
        options:
            How it is run.
        budget:
            ``key=value`` each: what the whole budget is from now on, earlier drivers included; kept in ``sweep.yaml``.
        join:
            Whether to work beside drivers that are alive. Their trials are theirs; new ones are shared out.
        space:
            YAML of a wider space to go on in: the same parameters, each range around the old one.

    Raises:
        InputError: The folder holds no sweep, another driver is at work in it, ``trials`` is below 1, or ``space`` is
            another one.
        WorkFailedError: All trials crash, or Ray gave up.
    """
    options = options or Options()
    run_dir = Path(run_dir).absolute()
    if trials is not None and trials < 1:
        raise InputError(f"--trials {trials}: give the number of trials to add, at least 1.")
    if join and space is not None:
        raise InputError("--widen and --join: a space is widened while no other driver works; end those first.")
    if not (run_dir / SWEEP_YAML).is_file():
        raise InputError(f"{run_dir} holds no {SWEEP_YAML}: give the folder of a sweep, or start one.")
    read = functools.partial(load_sweep_config, run_dir / SWEEP_YAML, _budget_overrides(budget))
    sweep = Sweep(read(), run_dir)
    with driver(run_dir, join=join) as me, quiet_optuna():
        study = sweep.open(me, new=False)
        if space is not None:
            for line in widen(sweep, study, me, Path(space)) or ("nothing; the space is as wide already",):
                options.say(f"wider: {line}")
            sweep = Sweep(read(), run_dir)
            study = sweep.open(me, new=False)
        _start_from(sweep, study, options)  # what a kill kept from being brought in
        target = study.study.user_attrs.get(TARGET, sweep.config.trials) + (trials or 0)
        if budget:
            write_text(run_dir / SWEEP_YAML, kept_files(sweep.config)[SWEEP_YAML])
        if study.started() >= target and not study.free():
            return conclude(sweep, study, interrupted=False)
        ended = BudgetGuard(sweep.config.budget, study, spared=sweep.config.scheduler.spared).ended()
        if ended is not None:
            study.study.set_user_attr(TARGET, target)  # a resume with a larger budget is to reach it
            return conclude(sweep, study, interrupted=False, ended=ended)
        with runtime.ray_runtime(options.address):
            check_machines(sweep, options)
            study.study.set_user_attr(TARGET, target)
            return drive(sweep, study, target, options)


def _has_trained(study: SweepStudy) -> bool:
    """Whether an epoch was trained, here or by another driver."""
    study.trials()  # reads what others wrote
    return study.has_epochs()


def _start_from(sweep: Sweep, study: SweepStudy, options: Options) -> None:
    for imported in start_from(study, sweep.config, sweep.space):
        for line in imported.lines():
            options.say(line)


def _budget_overrides(budget: Sequence[str]) -> list[str]:
    for each in budget:
        if "=" not in each:
            raise InputError(f"--budget {each}: write KEY=VALUE, for example hours=12.")
    return [f"budget.{each}" for each in budget]


def check_new(sweep: Sweep) -> None:
    """Check what can be checked of a new sweep before anything is made or started."""
    refuse_used_folder(sweep)
    if sweep.screen is not None:
        sweep.screen.check_start(sweep.config.start(sweep.space))
    check_start_from(sweep.config, sweep.space)


def refuse_used_folder(sweep: Sweep) -> None:
    run_dir = sweep.run_dir
    held = run_dir / SWEEP_YAML
    if not held.exists():
        if (run_dir / JOURNAL).exists() or run_dir.is_file():
            raise InputError(f"{run_dir} is no new folder: choose another one for the sweep.")
        return
    if not _is_held(sweep.config, run_dir):
        raise InputError(f"{run_dir} holds another sweep: choose another folder with --out.")
    try:
        trials = [t for t in load_study(sweep.config, run_dir).get_trials(deepcopy=False) if not is_result(t)]
    except InputError:  # killed before it had a study
        trials = []
    finished = len(trials) >= sweep.config.trials and all(t.state.is_finished() for t in trials)
    remedy = f"hypsweep resume {run_dir}" + (" --trials N` to add trials" if finished else "` to go on with it")
    raise InputError(f"{run_dir} holds this sweep already, {'' if finished else 'un'}finished: use `{remedy}.")


def _is_held(config: SweepConfig, run_dir: Path) -> bool:
    """Whether a folder holds this very sweep; what an earlier version left unsaid there counts as it is read."""
    try:
        return kept_files(load_sweep_config(run_dir / SWEEP_YAML)) == kept_files(config)
    except (InputError, OSError):
        return False


@dataclasses.dataclass
class NewFolder:
    """The folder of a sweep that begins.

    Attributes:
        is_kept:
            Whether it holds work already, which an input that turns out wrong is no reason to remove; as it must be
            taken to, until no other driver can be at work there.
    """

    is_kept: bool = True


@contextmanager
def new_folder(run_dir: Path, *, keep: bool = True) -> Iterator[NewFolder]:
    """Make a sweep's folder; if the input turns out wrong, what was there before is all that is left.

    Args:
        run_dir:
            The folder.
        keep:
            False: that is all that is left in any case.
    """
    before = set(run_dir.iterdir()) if run_dir.is_dir() else set()
    made = [folder for folder in (run_dir, *run_dir.parents) if not folder.exists()]
    try:
        (run_dir / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{run_dir}: cannot be made ({error.strerror}); choose another folder.") from error
    new, is_left = NewFolder(), keep
    try:
        yield new
    except _RESUMABLE:
        raise
    except InputError:
        is_left = new.is_kept
        raise
    finally:
        if not is_left:
            for path in set(run_dir.iterdir()) - before:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            for folder in made:  # the innermost first
                folder.rmdir()


def check_machines(sweep: Sweep, options: Options) -> None:
    """Check that trials fit on a node and find there what they need."""
    config = sweep.config
    paths = {"data": str(config.data)}
    storage = config.storage_path or str(sweep.run_dir / CHECKPOINTS)
    if not is_uri(storage):
        Path(storage).mkdir(parents=True, exist_ok=True)
        paths["storage_path"] = storage
    runtime.check_resources(config.resources, growing=options.address is not None)
    node_checks.check_nodes(config.resources, paths)
    check_gpu_hours(config)
    if options.trainable is None:
        node_checks.check_training(config.resources, _models(sweep), config.base_hyp())


def _models(sweep: Sweep) -> list[TrainSettings]:
    """The settings of the sweep with every model and weights file that it can choose, and the least silver ones."""
    least = {name: sweep.space.least(name, getattr(sweep.config.settings(), name)) for name in SILVER}
    silver: dict[str, Any] = {name: value for name, value in least.items() if value is not None}
    settings = dataclasses.replace(sweep.config.settings(), **silver)
    models, files = (sweep.space.possible(name, getattr(settings, name)) for name in ("model", "weights"))
    digest = settings.weights_sha256
    return [
        dataclasses.replace(
            settings, model=str(model), weights=weights, weights_sha256=None if weights is None else digest
        )
        for model, weights in product(models, files)
    ]
