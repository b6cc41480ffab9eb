"""Trains what a ledger asks for, side by side under Ray Tune, until the ledger says that it is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from data_prep.errors import HypsweepError, StoppedError, WorkFailedError
from search import checkpoints, node_checks, runtime
from search.config import SweepConfig
from search.confirm.progress import ConfirmProgress
from search.confirm.searcher import ConfirmSearcher
from search.confirm.seed_ledger import AnyLedger
from search.confirm.seed_plan import SeedPlan
from search.confirm.weights import ConfirmKeeper
from search.crashes import CrashReasons
from search.interrupt import SweepStopper, interruptible
from search.options import Options
from search.paths import is_uri
from search.ray_errors import explained, while_ray_lives
from search.trial_plan import TrialPlan
from search.tuner import build_tuner, run_config
from trainable.hyp import Hyp
from trainable.settings import TrainSettings


@dataclass(frozen=True)
class SeedTrainings:
    """Trainings over several seeds, and on what they are done.

    Attributes:
        ledger:
            What is trained.
        common:
            What they share.
        config:
            Resources, data and storage.
        run_dir:
            The folder.
        root:
            Path or URI of the checkpoints.
        command:
            What goes on with them.
    """

    ledger: AnyLedger
    common: TrialPlan
    config: SweepConfig
    run_dir: Path
    root: str
    command: str

    @property
    def again(self) -> str:
        """The remedy of whatever ends them before their time."""
        return f"go on with `{self.command}`"


def check(work: SeedTrainings, options: Options) -> None:
    """Check that a training fits on a node and finds there what it needs.

    Raises:
        InputError: It does not.
    """
    resources, plan = work.config.resources, work.ledger.plan
    runtime.check_resources(resources, growing=options.address is not None)
    node_checks.check_nodes(resources, {"data": str(work.config.data)})
    if options.trainable is None:
        configs = [plan.trial_config(work.common, trial, 0, None) for trial in plan.trials]
        settings = {TrainSettings.from_mapping(config["train"]): None for config in configs}
        node_checks.check_training(resources, list(settings), Hyp.from_mapping(configs[0]["hyp"]))


def train(work: SeedTrainings, options: Options) -> None:
    """Let Ray Tune run what is due, round after round.

    Raises:
        StoppedError: The user pressed Ctrl-C.
        HypsweepError: A training crashed for good, or would meet what every training meets, or Ray gave up.
    """
    ledger, crashes, root = work.ledger, CrashReasons(), work.root
    if not is_uri(root):
        Path(root).mkdir(parents=True, exist_ok=True)
    keeper = ConfirmKeeper(root, ledger)
    searcher = ConfirmSearcher(ledger, work.common, _finder(root, ledger.plan), crashes.crash, options.say)
    keeper.settle()
    with interruptible(options.say) as interrupt:
        ends = while_ray_lives(lambda: interrupt.requested or searcher.error is not None, work.run_dir, work.again)
        stopper = SweepStopper(work.common.metrics, ends)
        callbacks = [crashes, keeper, ConfirmProgress(ledger, options.say)]
        with explained(work.run_dir, root, lambda: searcher.error, work.again):
            run = run_config(work.config, root, checkpoints.begin_session(root), stopper, callbacks)
            build_tuner(work.config, options, searcher, None, run).fit()
    keeper.settle()
    _raise(work, searcher.error, stopped=interrupt.requested)


def _raise(work: SeedTrainings, error: Exception | None, *, stopped: bool) -> None:
    """Raise what kept the trainings from their end, with the command that goes on."""
    if isinstance(error, HypsweepError):
        raise type(error)(f"{str(error).rstrip('.')}; {work.again}.") from error
    if error is not None:
        raise error
    if work.ledger.is_over():
        return
    if stopped:
        raise StoppedError(f"the {work.ledger.what} was stopped; {work.again}.")
    raise WorkFailedError(f"{work.run_dir}: Ray Tune ended before the {work.ledger.what} was over; {work.again}.")


def _finder(root: str, plan: SeedPlan) -> Callable[[int], str | None]:
    """What finds the checkpoint that a training goes on from: one of the last epoch holds nothing left to train."""

    def find(number: int) -> str | None:
        found = checkpoints.newest_checkpoint(root, number, below=plan.epochs_of(plan.trial_of(number)))
        return found.path if found else None

    return find
