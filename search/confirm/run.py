"""Runs a confirmation: the default hyp and the sweep's best, several seeds each, side by side under Ray Tune."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from data_prep.errors import HypsweepError, StoppedError, WorkFailedError
from search import checkpoints, node_checks, runtime
from search.config_files import check_files
from search.confirm.opening import Work, open_confirmation, put_aside
from search.confirm.options import ConfirmOptions
from search.confirm.plan import common_plan
from search.confirm.progress import ConfirmProgress
from search.confirm.result import Confirmation, conclude
from search.confirm.searcher import ConfirmSearcher
from search.confirm.weights import ConfirmKeeper
from search.crashes import CrashReasons
from search.drivers import driver
from search.interrupt import SweepStopper, interruptible
from search.options import Options
from search.paths import is_uri
from search.ray_errors import explained, while_ray_lives
from search.results import read_run
from search.trial_plan import TrialPlan
from search.tuner import build_tuner, run_config
from trainable.hyp import Hyp
from trainable.settings import TrainSettings


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
            _check(work, common, options)
            put_aside(work)
            work.ledger.write()
            _train(work, common, options)
    return conclude(work.ledger, work.study, work.root, run_dir, config.settings().train_split)


def _check(work: Work, common: TrialPlan, options: Options) -> None:
    """Check that a training fits on a node and finds there what it needs."""
    resources, paths = work.config.resources, {"data": str(work.config.data)}
    runtime.check_resources(resources, growing=options.address is not None)
    node_checks.check_nodes(resources, paths)
    if options.trainable is None:
        configs = [work.ledger.plan.trial_config(common, trial, 0, None) for trial in work.ledger.plan.trials]
        settings = {TrainSettings.from_mapping(config["train"]): None for config in configs}
        node_checks.check_training(resources, list(settings), Hyp.from_mapping(configs[0]["hyp"]))


def _train(work: Work, common: TrialPlan, options: Options) -> None:
    """Let Ray Tune run what is due, round after round."""
    ledger, crashes, root = work.ledger, CrashReasons(), work.root
    if not is_uri(root):
        Path(root).mkdir(parents=True, exist_ok=True)
    keeper, again = ConfirmKeeper(root, ledger), f"go on with `hypsweep confirm {work.run_dir}`"
    searcher = ConfirmSearcher(ledger, common, _finder(root, common.epochs), crashes.crash, options.say)
    keeper.settle()
    with interruptible(options.say) as interrupt:
        ends = while_ray_lives(lambda: interrupt.requested or searcher.error is not None, work.run_dir, again)
        stopper = SweepStopper(common.metrics, ends)
        callbacks = [crashes, keeper, ConfirmProgress(ledger, options.say)]
        with explained(work.run_dir, root, lambda: searcher.error, again):
            run = run_config(work.config, root, checkpoints.begin_session(root), stopper, callbacks)
            build_tuner(work.config, options, searcher, None, run).fit()
    keeper.settle()
    if isinstance(searcher.error, HypsweepError):
        raise type(searcher.error)(f"{str(searcher.error).rstrip('.')}; {again}.") from searcher.error
    if searcher.error is not None:
        raise searcher.error
    if not ledger.is_over():
        if interrupt.requested:
            raise StoppedError(f"the confirmation was stopped; {again}.")
        raise WorkFailedError(f"{work.run_dir}: Ray Tune ended before the confirmation was over; {again}.")


def _finder(root: str, epochs: int) -> Callable[[int], str | None]:
    """What finds the checkpoint that a training goes on from: one of the last epoch holds nothing left to train."""

    def find(number: int) -> str | None:
        found = checkpoints.newest_checkpoint(root, number, below=epochs)
        return found.path if found else None

    return find


__all__ = ["Confirmation", "confirm"]
