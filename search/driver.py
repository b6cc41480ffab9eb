"""Puts study, searcher, scheduler and callbacks together and lets Ray Tune drive them."""

from __future__ import annotations

from collections.abc import Callable

from optuna.trial import TrialState

from data_prep.errors import DataMissingError, ImageError
from search import checkpoints, runtime
from search.assembly import Sweep
from search.budget.guard import BudgetGuard, build_guard
from search.budget.hooks import BudgetCallback, BudgetScheduler
from search.conclusion import SweepResult, conclude
from search.config import SweepConfig
from search.crashes import CrashReasons
from search.gpu_advice import GpuAdvice
from search.interrupt import Interrupt, SweepStopper, interruptible
from search.keeper import CheckpointKeeper
from search.keys import LAST, TARGET
from search.options import Options
from search.progress import ProgressCallback
from search.ray_errors import explained, while_ray_lives
from search.retention import RetentionRule
from search.schedulers.build import build_rungs, build_scheduler
from search.searcher import StudySearcher
from search.study import SweepStudy
from search.tensorboard import FOLDER as TENSORBOARD
from search.tensorboard import TensorBoardCallback
from search.tuner import build_tuner, run_config


def drive(sweep: Sweep, study: SweepStudy, target: int, options: Options) -> SweepResult:
    """Let Ray Tune run trials until the study has its number, or the user interrupts."""
    root, crashes, guard = sweep.root(study), CrashReasons(), build_guard(sweep.config, study)
    plan = sweep.plan(target)
    held = {trial.number for trial in study.take_over()}
    foreign = {trial.number for trial in study.trials(TrialState.RUNNING)} - held
    rungs = build_rungs(sweep.config.scheduler, plan, study.trials(), foreign=foreign)
    neighbours = study.watch_neighbours(rungs)  # noqa: F841  it lives as long as somebody holds it
    searcher = StudySearcher(study, plan, _finder(root, study, plan.epochs), crashes.crash, rungs, guard)
    judge = build_scheduler(sweep.config.scheduler, plan, study.trials(), rungs=rungs, desk=searcher)
    scheduler = BudgetScheduler(judge, guard)
    keeper = CheckpointKeeper(root, study, _retention(sweep.config))
    shown = ProgressCallback(study, target, sweep.config.epochs, options.console, options.on_progress, guard)
    with interruptible(options.say) as interrupt, guard.running():
        stopper = SweepStopper(plan.metrics, _end_asked(sweep, searcher, interrupt, guard))
        callbacks = [BudgetCallback(guard), crashes, _board(sweep), keeper, shown, _gpu_advice(sweep, options)]
        keeper.settle()
        try:
            with explained(sweep.run_dir, root, lambda: searcher.error, _resume(sweep)):
                run = run_config(sweep.config, root, study.begin_session(root), stopper, callbacks)
                build_tuner(sweep.config, options, searcher, scheduler, run).fit()
        finally:
            shown.close()
        keeper.settle()
        _say_if_exhausted(study, target, options)
        unfinished = _is_unfinished(study, target)
        cut_short = unfinished and (interrupt.requested or searcher.error is not None)
        ended = guard.ended() if unfinished and not cut_short else None
        result = conclude(sweep, study, interrupted=cut_short, ended=ended)
    _raise(sweep, searcher.error)
    return result


def _raise(sweep: Sweep, error: Exception | None) -> None:
    """Raise what ended the sweep early, if anything did."""
    if isinstance(error, DataMissingError | ImageError):
        raise type(error)(f"{str(error).rstrip('.')}. When that is done, {_resume(sweep)}.") from error
    if error is not None:
        raise error


def _say_if_exhausted(study: SweepStudy, target: int, options: Options) -> None:
    """Say that the samplers ran out of suggestions, and lower the plan to what there is: the sweep is finished."""
    if study.started() < target and study.exhausted():
        study.study.set_user_attr(TARGET, study.started())
        options.say(f"every point of the grid was tried: the sweep ends with {study.started()} trials, not {target}")


def _resume(sweep: Sweep) -> str:
    return f"go on with `hypsweep resume {sweep.run_dir}`"


def _end_asked(sweep: Sweep, searcher: StudySearcher, interrupt: Interrupt, guard: BudgetGuard) -> Callable[[], bool]:
    """Whether the sweep is to end before its last trial."""

    def should_end() -> bool:
        return interrupt.requested or searcher.error is not None or guard.over()

    return while_ray_lives(should_end, sweep.run_dir, _resume(sweep))


def _board(sweep: Sweep) -> TensorBoardCallback:
    return TensorBoardCallback(sweep.run_dir / TENSORBOARD, sweep.config.metrics, sweep.space.targets())


def _gpu_advice(sweep: Sweep, options: Options) -> GpuAdvice:
    return GpuAdvice(options.say, runtime.gpus_per_trial(sweep.config.resources))


def _retention(config: SweepConfig) -> RetentionRule:
    return RetentionRule(config.mode, config.keep_best_checkpoints, config.max_paused_checkpoints, config.objectives)


def _is_unfinished(study: SweepStudy, target: int) -> bool:
    return study.started() < target or bool(study.own())


def _finder(root: str, study: SweepStudy, epochs: int) -> Callable[[int], str | None]:
    """What finds the checkpoint that a trial goes on from.

    Not one of an epoch that the study does not know: Ray saves the epoch that a trial is stopped at before the study is
    told of it, and gone on from there it would be missing for good. It is trained again, from the checkpoint before.
    """

    def find(number: int) -> str | None:
        told = study.trial(number).user_attrs.get(LAST, {}).get("epoch", 0)
        found = checkpoints.newest_checkpoint(root, number, below=min(epochs, told + 1))
        return found.path if found else None

    return find
