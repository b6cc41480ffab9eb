"""Studies with a long past, and the sweep that they belong to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import yaml
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from search.config import SweepConfig, load_sweep_config
from search.opening import open_study
from search.samplers import AUTHOR_KEY, build_sampler
from search.space import load_space
from search.study import SweepStudy
from search.trial_plan import TrialPlan

METRIC = "fitness"
SPACE = Path(__file__).resolve().parents[2] / "configs" / "spaces" / "yolov5.yaml"
_OTHERS = (
    "precision", "recall", "map50", "map75", "map50_95", "train/box_loss", "train/obj_loss", "train/cls_loss",
    "val/box_loss", "val/obj_loss", "val/cls_loss", "lr0", "lr1", "lr2", "batch_size",
)  # fmt: skip


def sweep_config(folder: Path, *, epochs: int, trials: int, members: list[str]) -> SweepConfig:
    """A sweep over YOLOv5's hyps and the number of anchors, 29 in all; nothing of it is trained."""
    folder.mkdir(parents=True, exist_ok=True)
    space = yaml.safe_load(SPACE.read_text())
    space["parameters"]["anchors"] = {"type": "int", "low": 2, "high": 10, "gain": 2, "default": 3}
    (folder / "space.yaml").write_text(yaml.safe_dump(space))
    (folder / "data.yaml").write_text("train: train\nval: val\nnames: [cow, pig]\n")
    (folder / "sweep.yaml").write_text(
        yaml.safe_dump({
            "name": "scale", "data": "data.yaml", "space": "space.yaml", "trials": trials,
            "train": {"epochs": epochs, "model": "yolov5n"}, "sampler": {"members": members},
            "scheduler": {"grace_period": 1, "reduction_factor": 3},
        })
    )  # fmt: skip
    return load_sweep_config(folder / "sweep.yaml")


def open_sweep(config: SweepConfig, run_dir: Path, *, new: bool) -> tuple[SweepStudy, TrialPlan]:
    """The study of a sweep in its journal, and what its trials share."""
    run_dir.mkdir(parents=True, exist_ok=True)
    space = load_space(config.space)
    sampler = build_sampler(config.sampler, space, config.seed, defaults=config.start(space))
    plan = TrialPlan(
        space=space, hyp=config.base_hyp().as_dict(), train=config.settings().as_dict(), epochs=config.epochs,
        metric=config.metric, mode=config.mode, trials=config.trials,
    )  # fmt: skip
    return open_study(config, run_dir, space, sampler, new=new), plan


def past(
    distributions: Mapping[str, BaseDistribution], count: int, epochs: int, seed: int = 0
) -> Iterator[FrozenTrial]:
    """Finished trials as ASHA leaves them: of nine, six end at the first rung, two at the second, one runs through."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        params = {name: uniform(distribution, rng) for name, distribution in distributions.items()}
        last = epochs if number % 9 == 0 else max(1, epochs // 3) if number % 3 == 0 else max(1, epochs // 9)
        values = {epoch: curve(params, distributions, epoch, epochs, rng) for epoch in range(1, last + 1)}
        yield optuna.trial.create_trial(
            params=params,
            distributions=dict(distributions),
            value=values[last],
            intermediate_values=values,
            user_attrs={AUTHOR_KEY: "tpe", "last": {"epoch": last, "metrics": result(last, values[last])}},
            state=TrialState.COMPLETE if last == epochs else TrialState.PRUNED,
        )


def uniform(distribution: BaseDistribution, rng: np.random.Generator) -> float | int:
    """A value anywhere in a distribution."""
    if isinstance(distribution, IntDistribution):
        return int(rng.integers(distribution.low, distribution.high + 1))
    if not isinstance(distribution, FloatDistribution):
        raise TypeError(f"no way to draw from {distribution}")
    if distribution.log:
        return float(math.exp(rng.uniform(math.log(distribution.low), math.log(distribution.high))))
    return float(rng.uniform(distribution.low, distribution.high))


def curve(
    params: Mapping[str, Any],
    distributions: Mapping[str, BaseDistribution],
    epoch: int,
    epochs: int,
    rng: np.random.Generator,
) -> float:
    """A learning curve that rises towards what the parameters are worth, with noise; the optimum is off the middle."""
    distance = 0.0
    for place, (name, distribution) in enumerate(sorted(distributions.items())):
        low, high, value = distribution.low, distribution.high, params[name]  # type: ignore[attr-defined]
        if getattr(distribution, "log", False):
            low, high, value = math.log(low), math.log(high), math.log(value)
        distance += ((value - low) / (high - low) - (0.3 + 0.4 * (place % 2))) ** 2
    worth = math.exp(-2 * distance / max(1, len(distributions)) * 4)
    return worth * (1 - math.exp(-4 * epoch / epochs)) + float(rng.normal(0, 0.01))


def result(epoch: int, value: float) -> dict[str, float]:
    """What an epoch reports, as many values as a real one."""
    return {METRIC: value, "epoch": epoch, **dict.fromkeys(_OTHERS, round(value, 5))}
