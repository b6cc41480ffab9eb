"""SweepConfig: everything that a sweep is told, read from YAML, checked, with every path made absolute.

An unknown key is an error. ``sweep.yaml`` in a sweep's folder is this model written out again
(:mod:`search.config_files`): enough to repeat it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from data_prep.errors import InputError
from data_prep.files import read_yaml_mapping
from data_prep.validation import ConfigPath, FrozenModel, describe
from search.budget.config import BudgetConfig
from search.goals.check import check_goals, with_first_objective
from search.goals.config import ConstraintsConfig, Objective
from search.known.config import KnownConfig
from search.overrides import apply_override
from search.paths import PathOrUri, weights_path
from search.samplers import SamplerConfig
from search.schedulers.config import SchedulerConfig
from search.space import PRETRAINED, Space
from search.stages import StageConfig, check_stages, with_trials_of_stages
from search.study_url import absolute_url
from trainable.hyp import Hyp, read_hyp, read_hyp_values
from trainable.settings import TrainSettings


class _Frozen(FrozenModel):
    """A configuration in which no number is infinite."""

    model_config = ConfigDict(allow_inf_nan=False)


class ResourcesConfig(_Frozen):
    """What one trial occupies; a node runs as many trials at a time as fit."""

    cpus: float = Field(default=1.0, gt=0)
    """CPU cores."""
    gpus: float | None = Field(default=None, ge=0)
    """GPUs, fractions allowed (0.5: two trials share one); None takes 1 where there are GPUs, else 0."""


class SweepConfig(_Frozen):
    """One sweep: what is searched, on which data, by which samplers, on which machines."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the sweep and of its study; letters, digits, ``.``, ``_`` and ``-``."""
    data: ConfigPath
    """Path of the ``data.yaml``: a prepared data set or any stock YOLO one. Nodes of a cluster see it there, too."""
    space: ConfigPath
    """Path of the space YAML: which hyps and settings are searched, in which bounds."""
    hyp: ConfigPath | None = None
    """Path of the hyp YAML that the space's suggestions override; None takes YOLOv5's defaults."""
    start_from: tuple[KnownConfig, ...] = ()
    """What is known already: its configs are tried right after the base, or stand in the study as results."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Settings of every training (:class:`trainable.settings.TrainSettings` without ``data``); ``epochs`` is a must."""
    sampler: SamplerConfig = SamplerConfig()
    """The samplers by name, with their options."""
    scheduler: SchedulerConfig = SchedulerConfig()
    """Early stopping."""
    metric: str = "fitness"
    """The reported value that is optimized; of several goals the first."""
    mode: Literal["max", "min"] = "max"
    """Whether more or less of ``metric`` is better."""
    objectives: tuple[Objective, ...] = ()
    """Several goals instead of ``metric`` and ``mode``: what is wanted is their front."""
    trials: int = Field(default=30, ge=1)
    """How many trials the sweep starts, the default hyp as trial 0 included; with ``stages`` the sum of theirs."""
    constraints: ConstraintsConfig = ConstraintsConfig()
    """Limits that are known before a training; a configuration that breaks one is drawn again and never trained."""
    budget: BudgetConfig = BudgetConfig()
    """What else ends the sweep, before it has all its trials: epochs, hours, GPU hours, a target, a plateau."""
    stages: tuple[StageConfig, ...] = ()
    """Groups of parameters to search one after another, each from the best so far; none: everything at once."""
    seed: int = Field(default=0, ge=0)
    """Seed of the samplers (``train.seed`` is the one of the trainings)."""
    resources: ResourcesConfig = ResourcesConfig()
    """What one trial occupies."""
    max_concurrent: int | None = Field(default=None, ge=1)
    """Most trials at a time; None leaves it to the resources."""
    max_failures: int = Field(default=3, ge=0)
    """How often a crashed trial is started again from its last checkpoint before it is given up as FAIL."""
    keep_best_checkpoints: int | None = Field(default=1, ge=0)
    """How many of the trials that have ended keep their newest checkpoint, the best first; None lets all keep it."""
    max_paused_checkpoints: int | None = Field(default=20, ge=0)
    """How many paused trials keep their checkpoints, the best first; others start again if they are promoted. None lets
    all keep them."""
    storage_path: PathOrUri | None = None
    """Where checkpoints go: a path that all nodes reach, or a bucket URI; None takes ``ray/`` in the run's folder."""
    study_storage: str | None = None
    """Optuna storage URL of the study; None keeps a journal file in the run's folder. The file of a relative SQLite URL
    starts at the folder of the YAML."""

    @field_validator("train")
    @classmethod
    def _resolve_weights(cls, train: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return {**train, "weights": weights_path(train["weights"], info)} if "weights" in train else train

    @field_validator("train")
    @classmethod
    def _resolve_cache(cls, train: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        # A trial runs in a folder of its own: a relative path would be another cache for each of them.
        cache = train.get("cache_dir")
        if not isinstance(cache, str) or cache.startswith("~"):  # the home is each node's own
            return train
        if not cache or "\0" in cache:
            raise ValueError(f"train.cache_dir is {cache!r}: give a folder, or leave it out")
        folder = (info.context or {}).get("folder", Path.cwd())
        return {**train, "cache_dir": str(Path(folder, cache).resolve())}

    @field_validator("study_storage")
    @classmethod
    def _resolve_sqlite(cls, url: str | None, info: ValidationInfo) -> str | None:
        return None if url is None else absolute_url(url, (info.context or {}).get("folder", Path.cwd()))

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:  # noqa: ANN401  whatever stands in the YAML
        return with_trials_of_stages(with_first_objective(values))

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_stages(self.stages, self.trials, self.sampler.names)
        epochs = self.epochs
        if self.scheduler.first_rung(epochs) > epochs:
            raise ValueError(
                f"scheduler.grace_period is {self.scheduler.grace_period} and a training has only "
                f"{epochs} epochs (train.epochs): make it smaller"
            )
        check_goals(self)
        return self

    def settings(self) -> TrainSettings:
        """The settings that every trial shares, complete and checked.

        Raises:
            InputError: A key of ``train`` is unknown or missing, or its value is wrong.
        """
        if "data" in self.train:
            raise InputError("train.data is no key of a sweep: name the data set once, in `data`.")
        values = {**self.train, "data": str(self.data)}
        with contextlib.suppress(TypeError):  # a text for a number: pydantic says it better
            TrainSettings.from_mapping(values)  # names an unknown key, which pydantic would drop in silence
        try:
            return TypeAdapter(TrainSettings).validate_python(values)
        except ValidationError as error:
            raise InputError(f"train: {describe(error, values)}") from error

    @property
    def goals(self) -> tuple[Objective, ...]:
        """What is wanted: one goal, or several."""
        return self.objectives or (Objective(metric=self.metric, mode=self.mode),)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what is wanted."""
        return tuple(goal.metric for goal in self.goals)

    @property
    def epochs(self) -> int:
        """Epochs of a full training."""
        return self.settings().epochs

    def base_hyp(self) -> Hyp:
        """The hyp that suggestions override.

        Raises:
            InputError: The file is missing or no hyp.
        """
        return read_hyp(self.hyp) if self.hyp else Hyp()

    def start(self, space: Space) -> dict[str, Any]:
        """What trial 0 is started with, by parameter of the space.

        What the hyp file and ``train`` say wins over the space's defaults, and these over YOLOv5's.

        Raises:
            InputError: The hyp file is missing or no hyp, or a value lies outside the space.
        """
        return space.default_params(*self._base(space))

    def starts(self, space: Space) -> dict[str, Any]:
        """Where the search of every parameter starts, those that trial 0 does not have included.

        Raises:
            InputError: As :meth:`start` raises it.
        """
        return space.starts(*self._base(space))

    def base(self, space: Space) -> dict[str, Any]:
        """Hyps and training settings that suggestions override, as trial 0 has them; see :meth:`start`.

        Raises:
            InputError: As :meth:`start` raises it.
        """
        stated, known = self._base(space)
        return {**known, **stated, **{space.target(n): value for n, value in self.start(space).items()}}

    def _base(self, space: Space) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the sweep states, by hyp or setting; and what holds where it says nothing."""
        stated = {**self.train, **(read_hyp_values(self.hyp) if self.hyp else {})}
        settings = self.settings().as_dict()
        if settings["weights"] is None and True in space.possible(PRETRAINED, False):
            raise InputError(
                f"{self.space}: {PRETRAINED} can be true and the sweep names no weights: "
                f"give train.weights, or take {PRETRAINED} out of the space."
            )
        known = {**settings, PRETRAINED: settings["weights"] is not None, **self.base_hyp().as_dict()}
        return stated, known


def load_sweep_config(path: str | Path, overrides: Sequence[str] = ()) -> SweepConfig:
    """Read a sweep's YAML.

    Args:
        path:
            The YAML file.
        overrides:
            ``dotted.key=value`` each, the value in YAML syntax; they win over the file. Relative paths among them
            start at the file's folder, too.

    Raises:
        InputError: The file is missing or no YAML mapping, or a key or value is wrong.
    """
    path = Path(path).absolute()
    values = read_yaml_mapping(path)
    for override in overrides:
        apply_override(values, override)
    try:
        return SweepConfig.model_validate(values, context={"folder": path.parent})
    except ValidationError as error:
        raise InputError(f"{path}: {describe(error, values, SweepConfig)}") from error
