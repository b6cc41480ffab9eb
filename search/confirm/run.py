"""Runs a confirmation: the default hyp and the sweep's best, several seeds each, side by side under Ray Tune."""

from __future__ import annotations

from pathlib import Path

from search import runtime
from search.config_files import check_files
from search.confirm.opening import open_confirmation, put_aside
from search.confirm.options import ConfirmOptions
from search.confirm.plan import common_plan
from search.confirm.result import Confirmation, conclude
from search.confirm.training import SeedTrainings, check, train
from search.drivers import driver
from search.options import Options
from search.results import read_run


def confirm(run_dir: str | Path, asked: ConfirmOptions | None = None, options: Options | None = None) -> Confirmation:
    """Train the default hyp and the best of a sweep with new seeds and all epochs, until it is decided whom to take.

    Killed or stopped and started again it goes on; finished trainings are not repeated. One that is decided trains
    nothing more. Every training is one on ``train`` that is judged on ``val`` after its last epoch: the final training
    ends there, too, and a best epoch would be the best of several noisy values.

    Args:
        run_dir:
            The sweep's folder.
        asked:
            What is compared, and with how many seeds.
        options:
            How it is run.

    Raises:
        InputError: The folder holds no sweep, is in use, has several goals, or holds a confirmation of something else.
        StoppedError: The user pressed Ctrl-C.
        WorkFailedError: No trial has finished an epoch, a training crashed for good, or Ray gave up.
    """
    asked, options, run_dir = asked or ConfirmOptions(), options or Options(), Path(run_dir).absolute()
    config, study = read_run(run_dir)
    check_files(config)
    work = open_confirmation(run_dir, config, study, asked)
    if not work.ledger.is_over():
        with driver(run_dir), runtime.ray_runtime(options.address):
            work = open_confirmation(run_dir, config, study, asked)  # another driver may just have written
            common = common_plan(config, work.space, work.ledger.plan, runtime.gpus_per_trial(config.resources))
            command = f"hypsweep confirm {run_dir}"
            trainings = SeedTrainings(work.ledger, common, work.config, run_dir, work.root, command)
            check(trainings, options)
            put_aside(work)
            work.ledger.write()
            train(trainings, options)
    return conclude(work.ledger, work.study, work.root, run_dir, config.settings().train_split)


__all__ = ["Confirmation", "confirm"]
