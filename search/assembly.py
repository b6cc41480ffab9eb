"""Sweep: a configuration that was read and checked, and what it is put together to: space, sampler, study, plan."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from search import runtime
from search.config import SweepConfig
from search.config_files import check_files
from search.drivers import Driver
from search.goals.screen import Screen, build_screen
from search.opening import open_study
from search.results import best_trial
from search.samplers import StagedSampler, build_sampler
from search.space import Space, load_space
from search.stages import stages_of
from search.storage import checkpoint_root
from search.study import SweepStudy
from search.trial_plan import TrialPlan


@dataclass(frozen=True)
class Sweep:
    """A sweep whose configuration has been read and checked."""

    config: SweepConfig
    run_dir: Path
    space: Space = field(init=False)
    sampler: BaseSampler = field(init=False)
    screen: Screen | None = field(init=False)

    def __post_init__(self) -> None:
        check_files(self.config)
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

    def plan(self, target: int) -> TrialPlan:
        """What the trials of the sweep share, of which the study shall have so many in the end."""
        config = self.config
        return TrialPlan(
            space=self.space,
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


def _best(study: optuna.Study) -> FrozenTrial | None:
    best = best_trial(study)
    return best.trial if best else None
