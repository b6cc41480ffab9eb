"""The Ray Tune that runs trials, by the sweep's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ray import tune
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from search import checkpoints, runtime
from search.config import SweepConfig
from search.interrupt import SweepStopper
from search.options import Options

if TYPE_CHECKING:
    from ray.tune.experiment import Trial


def run_config(
    config: SweepConfig, root: str, session: str, stopper: SweepStopper, callbacks: list[tune.Callback]
) -> tune.RunConfig:
    """Where Ray writes, what it calls, and how often a crashed trial is started again."""
    return tune.RunConfig(
        name=session,
        storage_path=root,
        stop=stopper,
        callbacks=callbacks,
        verbose=0,  # search/progress.py reports
        checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=checkpoints.KEPT_CHECKPOINTS),
        failure_config=tune.FailureConfig(max_failures=config.max_failures),
    )


def build_tuner(
    config: SweepConfig, options: Options, searcher: Searcher, scheduler: TrialScheduler | None, run: tune.RunConfig
) -> tune.Tuner:
    """The Tuner that asks the searcher for trials and runs them on what each occupies; each to its end by default."""
    resources = {"cpu": config.resources.cpus, "gpu": runtime.gpus_per_trial(config.resources)}
    return tune.Tuner(
        tune.with_resources(options.trainable or _detection(), resources),
        run_config=run,
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
