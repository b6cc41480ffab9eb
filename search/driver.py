"""Puts study, searcher, scheduler and callbacks together and lets Ray Tune drive them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState
from ray import tune
from ray.tune.error import TuneError
from ray.tune.schedulers import TrialScheduler

from data_prep.errors import DataMissingError, ImageError, WorkFailedError
from search import checkpoints, runtime
from search.budget.end import Ended, close_for_good
from search.budget.guard import BudgetGuard, build_guard
from search.budget.hooks import BudgetCallback, BudgetScheduler
from search.config import SweepConfig
from search.crashes import CRASH, CrashReasons
from search.drivers import Driver
from search.edges import Edge, edges
from search.goals.front import front_lines
from search.goals.screen import Screen, build_screen
from search.gpu_advice import GpuAdvice
from search.interrupt import Interrupt, SweepStopper, interruptible
from search.keeper import CheckpointKeeper
from search.keys import TARGET
from search.opening import open_study
from search.progress import Progress, ProgressCallback
from search.results import BestTrial, SmallerBatch, best_trial, count_states, smaller_batches, write_results
from search.retention import RetentionRule
from search.samplers import StagedSampler, build_sampler
from search.samplers.keys import is_paused
from search.schedulers.build import build_rungs, build_scheduler
from search.searcher import StudySearcher
from search.space import Space, load_space
from search.stages import stages_of
from search.storage import Usage, checkpoint_root, checkpoint_usage
from search.study import SweepStudy
from search.tensorboard import FOLDER as TENSORBOARD
from search.tensorboard import TensorBoardCallback
from search.trial_plan import TrialPlan

if TYPE_CHECKING:
    from ray.tune.experiment import Trial
    from rich.console import Console


@dataclass(frozen=True)
class SweepResult:
    """What became of a run of a sweep.

    Attributes:
        run_dir:
            The sweep's folder.
        interrupted:
            Whether it was wound down before its end; its running trials wait for a resume.
        states:
            How many trials are in which state.
        best:
            The best trial, None before the first epoch.
        path:
            The path of the trainings, ``fast`` or ``exact``, that every figure belongs to.
        smaller_batches:
            Trials that GPU memory did not let have the batch that was asked for.
        usage:
            What the sweep's checkpoints take; None where their storage cannot be listed.
        ended:
            The budget that ended the sweep before it had all its trials; None: none did.
        edges:
            Values of the best trial at the edge of their range.
        front:
            The trials of the front in words, where there are several goals.
    """

    run_dir: Path
    interrupted: bool
    states: dict[str, int]
    best: BestTrial | None
    path: str = "fast"
    smaller_batches: tuple[SmallerBatch, ...] = ()
    usage: Usage | None = None
    ended: Ended | None = None
    edges: tuple[Edge, ...] = ()
    front: tuple[str, ...] = ()

    @property
    def resume_command(self) -> str:
        """What goes on from here."""
        return f"hypsweep resume {self.run_dir}"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a sweep is run, as against what it is.

    Attributes:
        address:
            Ray cluster, see :func:`search.runtime.ray_runtime`.
        trainable:
            The class that trains; None takes :class:`trainable.detection.DetectionTrainable`.
        console:
            Where progress is shown; None shows nothing.
        on_progress:
            Called with the progress, for a display of one's own.
    """

    address: str | None = None
    trainable: type[tune.Trainable] | None = None
    console: Console | None = None
    on_progress: Callable[[Progress], None] | None = None

    def say(self, line: str) -> None:
        """Tell the user one line."""
        if self.console is not None:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Sweep:
    """A sweep whose configuration has been read and checked."""

    config: SweepConfig
    run_dir: Path
    space: Space = field(init=False)
    sampler: BaseSampler = field(init=False)
    screen: Screen | None = field(init=False)

    def __post_init__(self) -> None:
        self.config.check_files()
        space = load_space(self.config.space)
        starts = self.config.starts(space)
        build = functools.partial(
            build_sampler,
            self.config.sampler,
            space,
            self.config.seed,
            defaults=starts,
            priors=space.priors(starts),
            several_goals=bool(self.config.objectives),
        )
        stages = stages_of(self.config.stages, space)
        sampler = StagedSampler(stages, starts, build, _best) if stages else build()
        object.__setattr__(self, "space", space)
        object.__setattr__(self, "sampler", sampler)
        object.__setattr__(self, "screen", build_screen(self.config, space))

    def open(self, driver: Driver, *, new: bool) -> SweepStudy:
        """Open the sweep's study; see :func:`search.opening.open_study`."""
        return open_study(
            self.config, self.run_dir, self.space, self.sampler, new=new, screen=self.screen, driver=driver
        )

    def root(self, study: SweepStudy) -> str:
        """Path or URI of the sweep's checkpoints."""
        return checkpoint_root(self.config, self.run_dir, study.study.user_attrs["key"])


def _best(study: optuna.Study) -> FrozenTrial | None:
    best = best_trial(study)
    return best.trial if best else None


def drive(sweep: Sweep, study: SweepStudy, target: int, options: Options) -> SweepResult:
    """Let Ray Tune run trials until the study has its number, or the user interrupts."""
    root, crashes, guard = sweep.root(study), CrashReasons(), build_guard(sweep.config, study)
    plan = plan_of(sweep, target)
    held = {trial.number for trial in study.take_over()}
    foreign = {trial.number for trial in study.trials(TrialState.RUNNING)} - held
    rungs = build_rungs(sweep.config.scheduler, plan, study.trials(), foreign=foreign)
    neighbours = study.watch_neighbours(rungs)  # noqa: F841  it lives as long as somebody holds it
    searcher = StudySearcher(study, plan, _finder(root, plan.epochs), crashes.crash, rungs, guard)
    judge = build_scheduler(sweep.config.scheduler, plan, study.trials(), rungs=rungs, desk=searcher)
    scheduler = BudgetScheduler(judge, guard)
    keeper = CheckpointKeeper(root, study, _retention(sweep.config))
    shown = ProgressCallback(study, target, sweep.config.epochs, options.console, options.on_progress, guard)
    with interruptible(options.say) as interrupt, guard.running():
        stopper = SweepStopper(plan.metrics, _end_asked(sweep, searcher, interrupt, guard))
        callbacks = [BudgetCallback(guard), crashes, _board(sweep), keeper, shown, _gpu_advice(sweep, options)]
        keeper.settle()
        try:
            run_config = _run_config(sweep.config, root, study.begin_session(root), stopper, callbacks)
            _tuner(sweep, searcher, scheduler, run_config, options).fit()
        except TuneError as error:
            failed = searcher.error or WorkFailedError(
                f"{sweep.run_dir}: Ray Tune gave up ({str(error).strip().splitlines()[-1]}); {_resume(sweep)}."
            )
            raise failed from error
        except (OSError, EOFError) as error:  # EOFError: a full disk left one of Ray's files empty
            where, why = getattr(error, "filename", None) or root, getattr(error, "strerror", None) or error
            raise WorkFailedError(f"{where}: {why}: remove the cause (a full disk?) and {_resume(sweep)}.") from error
        finally:
            shown.close()
        keeper.settle()
        _say_if_exhausted(study, target, options)
        unfinished = _is_unfinished(study, target)
        cut_short = unfinished and (interrupt.requested or searcher.error is not None)
        ended = guard.ended() if unfinished and not cut_short else None
        result = conclude(sweep, study, interrupted=cut_short, ended=ended)
    if isinstance(searcher.error, DataMissingError | ImageError):
        reason = str(searcher.error).rstrip(".")
        raise type(searcher.error)(f"{reason}. When that is done, {_resume(sweep)}.") from searcher.error
    if searcher.error is not None:
        raise searcher.error
    return result


def _say_if_exhausted(study: SweepStudy, target: int, options: Options) -> None:
    """Say that the samplers ran out of suggestions, and lower the plan to what there is: the sweep is finished."""
    if study.started() < target and study.exhausted():
        study.study.set_user_attr(TARGET, study.started())
        options.say(f"every point of the grid was tried: the sweep ends with {study.started()} trials, not {target}")


def _resume(sweep: Sweep) -> str:
    return f"go on with `hypsweep resume {sweep.run_dir}`"


def _end_asked(sweep: Sweep, searcher: StudySearcher, interrupt: Interrupt, guard: BudgetGuard) -> Callable[[], bool]:
    """Whether the sweep is to end before its last trial."""
    watch = runtime.NodeWatch()

    def should_end() -> bool:
        if watch.lost():  # raised, for a clean end of the trials would be waited for
            raise WorkFailedError(
                f"{sweep.run_dir}: Ray on this machine has died (out of memory? see "
                f"/tmp/ray/session_latest/logs/raylet.out); {_resume(sweep)}."
            )
        return interrupt.requested or searcher.error is not None or guard.over()

    return should_end


def _board(sweep: Sweep) -> TensorBoardCallback:
    return TensorBoardCallback(sweep.run_dir / TENSORBOARD, sweep.config.metrics, sweep.space.targets())


def _gpu_advice(sweep: Sweep, options: Options) -> GpuAdvice:
    return GpuAdvice(options.say, runtime.gpus_per_trial(sweep.config.resources))


def _retention(config: SweepConfig) -> RetentionRule:
    return RetentionRule(config.mode, config.keep_best_checkpoints, config.max_paused_checkpoints, config.objectives)


def _is_unfinished(study: SweepStudy, target: int) -> bool:
    return study.started() < target or bool(study.own())


def plan_of(sweep: Sweep, target: int) -> TrialPlan:
    """What the trials of a sweep share."""
    config = sweep.config
    return TrialPlan(
        space=sweep.space,
        hyp=config.base_hyp().as_dict(),
        train=config.settings().as_dict(),
        epochs=config.epochs,
        metric=config.metric,
        mode=config.mode,
        trials=target,
        max_concurrent=config.max_concurrent,
        gpus=runtime.gpus_per_trial(config.resources),
        objectives=config.objectives,
    )


def _finder(root: str, epochs: int) -> Callable[[int], str | None]:
    def find(number: int) -> str | None:
        found = checkpoints.newest_checkpoint(root, number, below=epochs)
        return found.path if found else None

    return find


def _run_config(
    config: SweepConfig, root: str, session: str, stopper: SweepStopper, callbacks: list[tune.Callback]
) -> tune.RunConfig:
    return tune.RunConfig(
        name=session,
        storage_path=root,
        stop=stopper,
        callbacks=callbacks,
        verbose=0,  # search/progress.py reports
        checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=checkpoints.KEPT_CHECKPOINTS),
        failure_config=tune.FailureConfig(max_failures=config.max_failures),
    )


def _tuner(
    sweep: Sweep, searcher: StudySearcher, scheduler: TrialScheduler, run_config: tune.RunConfig, options: Options
) -> tune.Tuner:
    config = sweep.config
    resources = {"cpu": config.resources.cpus, "gpu": runtime.gpus_per_trial(config.resources)}
    return tune.Tuner(
        tune.with_resources(options.trainable or _detection(), resources),
        run_config=run_config,
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,  # the searcher ends the sweep: it counts the trials of the study
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
    )


def _trial_name(trial: Trial) -> str:
    return checkpoints.trial_dirname(trial.config["trial_number"])


def _detection() -> type[tune.Trainable]:
    from trainable.detection import DetectionTrainable  # loads torch, which nothing else in the driver needs

    return DetectionTrainable


def conclude(sweep: Sweep, study: SweepStudy, *, interrupted: bool, ended: Ended | None = None) -> SweepResult:
    """Close what Ray lost, unless a resume will go on with it, and write the results."""
    if ended is not None and ended.final:
        close_for_good(study, ended)
    elif not interrupted and ended is None:
        for trial in study.own():
            if is_paused(trial):
                study.finish(trial.number, TrialState.PRUNED)
            else:
                study.finish(trial.number, TrialState.FAIL, reason="Ray lost the trial", kind=CRASH)
    write_results(study.study, sweep.config, sweep.space, sweep.run_dir)
    return SweepResult(
        sweep.run_dir,
        interrupted,
        count_states(study.study),
        best_trial(study.study),
        path=sweep.config.settings().path,
        smaller_batches=smaller_batches(study.study, sweep.config),
        usage=checkpoint_usage(sweep.root(study)),
        ended=ended,
        edges=edges(study.study, sweep.space),
        front=front_lines(study.study, sweep.config.objectives),
    )
