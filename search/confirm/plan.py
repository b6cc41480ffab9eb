"""ConfirmPlan: which hyps are compared, over which seeds, by what; fixed when a confirmation begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import optuna

from data_prep.errors import InputError, WorkFailedError
from search.best import ranked_trials
from search.config import SweepConfig
from search.confirm.options import TOP_K, ConfirmOptions
from search.confirm.seed_plan import SeedPlan
from search.goals.front import has_several_goals
from search.results import QUALITY
from search.samplers.keys import START
from search.space import Space
from search.trial_plan import TrialPlan

TRAIN = "train"
"""The split that is trained on: the final training uses more pictures, not fewer."""
GOLD = "gold"
"""The split of a data set with silver labels that has none."""


@dataclass(frozen=True, kw_only=True)
class ConfirmPlan(SeedPlan):
    """Which hyps are compared, and how: the default's (trial 0) first, then the candidates', the best first."""

    swept: Mapping[int, float]
    """Value of each in the sweep; the default may have none."""

    def name(self, trial: int) -> str:
        """What a hyp is called."""
        return "default" if trial == START else f"trial {trial}"

    def trial_config(self, common: TrialPlan, trial: int, place: int, checkpoint: str | None) -> dict[str, Any]:
        """The configuration that the trainable gets for one training."""
        config = common.config_of(self.number(trial, place), self.params[trial], checkpoint)
        return {**config, "train": {**config["train"], "seed": self.seed(place)}}

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        hyps = [{"trial": t, "params": dict(self.params[t]), "swept": self.swept.get(t)} for t in self.params]
        return {**self.without("params", "swept"), "hyps": hyps}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What :meth:`as_dict` gave."""
        hyps, rest = values["hyps"], {name: value for name, value in values.items() if name != "hyps"}
        swept = {each["trial"]: each["swept"] for each in hyps if each["swept"] is not None}
        return cls(params={each["trial"]: each["params"] for each in hyps}, swept=swept, **rest)


def make_plan(
    config: SweepConfig, study: optuna.Study, space: Space, run_dir: Path, asked: ConfirmOptions, first_seed: int
) -> ConfirmPlan:
    """The plan of a new confirmation: the default hyp and the best ``top_k`` of the sweep that differ from it.

    Raises:
        InputError: The sweep has several goals, or of the metric nobody knows whether more is better.
        WorkFailedError: No trial has finished an epoch.
    """
    if has_several_goals(study):
        raise InputError(
            f"{run_dir}: the sweep has several goals, so no trial is best: choose one of the front with "
            f"`hypsweep promote {run_dir} --trial N`."
        )
    ranked = ranked_trials(study)
    if not ranked:
        raise WorkFailedError(f"{run_dir}: no trial has finished an epoch yet: go on with `hypsweep resume {run_dir}`.")
    first = study.get_trials(deepcopy=False)[START]
    params: dict[int, dict[str, Any]] = {START: first.params or config.start(space)}
    for best in ranked:
        if len(params) <= (asked.top_k or TOP_K) and best.trial.params not in params.values():
            params[best.trial.number] = best.trial.params
    return ConfirmPlan(
        params=params,
        swept={best.trial.number: best.value for best in ranked if best.trial.number in params},
        metric=asked.metric or config.metric,
        mode=_mode(config, asked.metric or config.metric),
        epochs=asked.epochs or config.epochs,
        first_seed=first_seed,
    )


def _mode(config: SweepConfig, metric: str) -> Literal["max", "min"]:
    if metric == config.metric:
        return config.mode
    if metric in QUALITY:
        return "max"
    raise InputError(f"--metric {metric}: choose {config.metric}, the sweep's, or one of {', '.join(QUALITY)}.")


def trained_on(config: SweepConfig) -> str:
    """The split that candidates are trained on: all of ``train``, or ``gold``, which has no silver labels."""
    split = config.settings().train_split
    return split if split == GOLD else TRAIN


def common_plan(config: SweepConfig, space: Space, plan: ConfirmPlan, gpus: float) -> TrialPlan:
    """What the trainings share: the sweep's settings, all epochs, on the split ``train``."""
    return TrialPlan(
        space=space,
        hyp=config.base_hyp().as_dict(),
        train={**config.settings().as_dict(), "epochs": plan.epochs, "train_split": trained_on(config)},
        epochs=plan.epochs,
        metric=plan.metric,
        mode=plan.mode,
        trials=len(plan.params),
        max_concurrent=config.max_concurrent,
        gpus=gpus,
    )
