"""Puts study, searcher, scheduler and callbacks together and lets Ray Tune drive them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.samplers import BaseSampler
from optuna.trial import TrialState
from ray import tune
from ray.tune.error import TuneError

from data_prep.errors import WorkFailedError
from search import checkpoints, runtime
from search.config import SweepConfig
from search.crashes import CrashReasons
from search.interrupt import Interrupt, SweepStopper, interruptible
from search.paths import join
from search.progress import Progress, ProgressCallback
from search.results import BestTrial, best_trial, write_results
from search.retention import DiscardEnded, discard_quietly
from search.samplers import build_sampler
from search.scheduler import build_scheduler
from search.searcher import StudySearcher, TrialPlan
from search.space import Space, load_space
from search.study import SweepStudy, open_study
from search.tensorboard import FOLDER as TENSORBOARD
from search.tensorboard import TensorBoardCallback

if TYPE_CHECKING:
    from ray.tune.experiment import Trial
    from rich.console import Console

CHECKPOINTS = "ray"
_KEPT_CHECKPOINTS = 2  # per trial: the newest may be cut off by a kill


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
    """

    run_dir: Path
    interrupted: bool
    states: dict[str, int]
    best: BestTrial | None

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

    def __post_init__(self) -> None:
        self.config.check_files()
        space = load_space(self.config.space)
        start = self.config.start(space)
        sampler = build_sampler(self.config.sampler, space, self.config.seed, defaults=start)
        object.__setattr__(self, "space", space)
        object.__setattr__(self, "sampler", sampler)

    def open(self, *, new: bool) -> SweepStudy:
        """Open the sweep's study; see :func:`search.study.open_study`."""
        return open_study(self.config, self.run_dir, self.space, self.sampler, new=new)

    def storage(self, key: str) -> str:
        """Where the checkpoints go; on storage that sweeps share, under a name that no other sweep has."""
        shared = self.config.storage_path
        return join(shared, f"{self.config.name}-{key}") if shared else str(self.run_dir / CHECKPOINTS)


def drive(sweep: Sweep, study: SweepStudy, target: int, options: Options) -> SweepResult:
    """Let Ray Tune run trials until the study has its number, or the user interrupts."""
    config, epochs = sweep.config, sweep.config.epochs
    root = sweep.storage(study.study.user_attrs["key"])
    crashes = CrashReasons()
    searcher = StudySearcher(study, _plan(sweep, target), _finder(root, epochs), crashes.reason)
    shown = ProgressCallback(study, target, epochs, options.console, options.on_progress)
    board = TensorBoardCallback(sweep.run_dir / TENSORBOARD, config.metric, sweep.space.parameters)
    with interruptible(options.say) as interrupt:
        watch = runtime.NodeWatch()

        def should_end() -> bool:
            if watch.lost():  # raised, for a clean end of the trials would be waited for
                raise WorkFailedError(
                    f"{sweep.run_dir}: Ray on this machine has died (out of memory? see "
                    f"/tmp/ray/session_latest/logs/raylet.out); go on with `hypsweep resume {sweep.run_dir}`."
                )
            return interrupt.requested or searcher.error is not None

        stopper = SweepStopper(config.metric, should_end)
        run_config = _run_config(config, root, stopper, [crashes, board, shown, DiscardEnded(root)])
        try:
            _tuner(sweep, study, searcher, run_config, options).fit()
        except TuneError as error:
            failed = searcher.error or WorkFailedError(
                f"{sweep.run_dir}: Ray Tune gave up ({str(error).strip().splitlines()[-1]}); "
                f"go on with `hypsweep resume {sweep.run_dir}`."
            )
            raise failed from error
        except OSError as error:
            raise WorkFailedError(
                f"{error.filename or root}: {error.strerror or error}: remove the cause (a full disk?) and go on with "
                f"`hypsweep resume {sweep.run_dir}`."
            ) from error
        finally:
            shown.close()
        for trial in study.trials():
            if trial.state.is_finished():  # a checkpoint can reach the storage after its trial has ended
                discard_quietly(root, trial.number)
        result = conclude(sweep, study, interrupted=_is_cut_short(interrupt, searcher, study, target))
    if searcher.error is not None:
        raise searcher.error
    return result


def _is_cut_short(interrupt: Interrupt, searcher: StudySearcher, study: SweepStudy, target: int) -> bool:
    unfinished = study.started() < target or bool(study.trials(TrialState.RUNNING))
    return unfinished and (interrupt.requested or searcher.error is not None)


def _plan(sweep: Sweep, target: int) -> TrialPlan:
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
    )


def _finder(root: str, epochs: int) -> Callable[[int], str | None]:
    def find(number: int) -> str | None:
        found = checkpoints.newest_checkpoint(root, number, below=epochs)
        return found.path if found else None

    return find


def _run_config(
    config: SweepConfig, root: str, stopper: SweepStopper, callbacks: list[tune.Callback]
) -> tune.RunConfig:
    return tune.RunConfig(
        name=checkpoints.next_session(root),
        storage_path=root,
        stop=stopper,
        callbacks=callbacks,
        verbose=0,  # search/progress.py reports
        checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=_KEPT_CHECKPOINTS),
        failure_config=tune.FailureConfig(max_failures=config.max_failures),
    )


def _tuner(
    sweep: Sweep, study: SweepStudy, searcher: StudySearcher, run_config: tune.RunConfig, options: Options
) -> tune.Tuner:
    config = sweep.config
    resources = {"cpu": config.resources.cpus, "gpu": runtime.gpus_per_trial(config.resources)}
    scheduler = build_scheduler(
        config.scheduler, epochs=config.epochs, metric=config.metric, mode=config.mode, history=study.trials()
    )
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


def conclude(sweep: Sweep, study: SweepStudy, *, interrupted: bool) -> SweepResult:
    """Close what Ray lost, unless a resume will go on with it, and write the results."""
    if not interrupted:
        for trial in study.trials(TrialState.RUNNING):
            study.finish(trial.number, TrialState.FAIL, reason="Ray lost the trial")
    write_results(study.study, sweep.config, sweep.space, sweep.run_dir)
    states = Counter(t.state.name for t in study.trials() if t.state != TrialState.WAITING)
    return SweepResult(sweep.run_dir, interrupted, dict(states), best_trial(study.study))
