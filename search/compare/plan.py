"""ComparisonPlan: what the arms are, tuned or not, and what they share; fixed when their training begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from data_prep.files import file_sha256
from search.compare.arms import Arm
from search.config import SweepConfig
from search.confirm.seed_plan import SeedPlan
from search.identity import identity
from search.space import load_space
from search.trial_plan import TrialPlan


@dataclass(frozen=True, kw_only=True)
class ComparisonPlan(SeedPlan):
    """Which arms are compared, and how; ``params`` holds ``hyp`` and ``train`` of each, the reference's first."""

    names: tuple[str, ...]
    """What the arms are called."""
    shared: Mapping[str, Any]
    """What they share: hyp, settings, data."""

    def name(self, trial: int) -> str:
        """What an arm is called."""
        return self.names[trial]

    def arm(self, trial: int) -> Arm:
        """An arm as it is trained."""
        return Arm(self.names[trial], self.params[trial]["hyp"], self.params[trial]["train"])

    def epochs_of(self, trial: int) -> int:
        """Epochs of an arm: its own, or those that the others have."""
        return int(self.params[trial]["train"].get("epochs", self.epochs))

    def trial_config(self, common: TrialPlan, trial: int, place: int, checkpoint: str | None) -> dict[str, Any]:
        """The configuration that the trainable gets for one training."""
        arm = self.arm(trial)
        return {
            "trial_number": self.number(trial, place),
            "hyp": {**common.hyp, **arm.hyp},
            "train": {**common.train, **arm.train, "seed": self.seed(place)},
            "checkpoint": checkpoint,
            **common.costs,
        }

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        arms = [{"arm": self.names[trial], **self.params[trial]} for trial in self.trials]
        return {**self.without("params", "names"), "arms": arms}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What :meth:`as_dict` gave."""
        arms, rest = values["arms"], {name: value for name, value in values.items() if name != "arms"}
        params = {number: {"hyp": each["hyp"], "train": each["train"]} for number, each in enumerate(arms)}
        return cls(params=params, names=tuple(each["arm"] for each in arms), **rest)


def make_plan(base: SweepConfig, arms: Sequence[Arm]) -> ComparisonPlan:
    """The plan of a new comparison.

    Args:
        base:
            What the arms share.
        arms:
            The arms, the reference first.

    Raises:
        InputError: Weights cannot be read.
    """
    return ComparisonPlan(
        params={number: {"hyp": dict(arm.hyp), "train": dict(arm.train)} for number, arm in enumerate(arms)},
        names=tuple(arm.name for arm in arms),
        metric=base.metric,
        mode=base.mode,
        epochs=base.epochs,
        first_seed=base.settings().seed + 1,
        shared=shared(base, arms),
    )


def shared(base: SweepConfig, arms: Sequence[Arm]) -> dict[str, Any]:
    """What must stay the same while arms are trained: hyp, settings, data, and the content of local weights."""
    known = identity(base, load_space(base.space))
    files = {str(path) for path in (base.train.get("weights"), *(arm.train.get("weights") for arm in arms)) if path}
    local = sorted(path for path in files if Path(path).is_file())
    found = {name: known[name] for name in ("data", "hyp", "train")}
    return {**found, "weights": [file_sha256(Path(path)) for path in local]}


def common_plan(base: SweepConfig, plan: ComparisonPlan, gpus: float) -> TrialPlan:
    """What the trainings share."""
    return TrialPlan(
        space=load_space(base.space),
        hyp=base.base_hyp().as_dict(),
        train=base.settings().as_dict(),
        epochs=plan.epochs,
        metric=plan.metric,
        mode=plan.mode,
        trials=len(plan.params),
        max_concurrent=base.max_concurrent,
        gpus=gpus,
    )
