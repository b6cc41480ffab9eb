"""What cannot be where a sweep has several goals, each refused by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.config import SweepConfig

SAMPLERS = ("tpe", "nsga2", "nsga3", "gp", "random", "qmc")
"""Members that can search for a front."""
DEFAULT_SAMPLER = "tpe"
"""Of these, the one that is taken where a sweep with several goals names none."""
ONLY_SEVERAL = ("nsga2", "nsga3")
"""Members that are there for several goals alone."""
SCHEDULERS = ("asha", "none")
"""Schedulers that can rank by several goals."""


def with_first_objective(values: Any) -> Any:  # noqa: ANN401  whatever stands in the YAML
    """Let ``metric`` and ``mode`` be those of the first goal, and a sampler that knows several be the default.

    Raises:
        ValueError: They are named beside the goals.
    """
    if (
        not isinstance(values, dict)
        or not isinstance(values.get("objectives"), list | tuple)
        or not values["objectives"]
    ):
        return values
    for name in ("metric", "mode"):
        if name in values:
            raise ValueError(f"{name} and objectives exclude each other, give one of them")
    first = next(iter(values["objectives"]), None)
    named = {name: first[name] for name in ("metric", "mode") if name in first} if isinstance(first, dict) else {}
    return {"sampler": {"members": [DEFAULT_SAMPLER]}, **values, **named}


def check_goals(config: SweepConfig) -> None:
    """Check that goals, sampler, scheduler, stages and budget go together.

    Raises:
        ValueError: They do not; the message names the key and what to take instead.
    """
    members = config.sampler.names
    if not config.objectives:
        for name in members:
            if name in ONLY_SEVERAL:
                raise ValueError(f"sampler.members: {name} is for several goals, give objectives or take tpe or ga")
        return
    _check_objectives([goal.metric for goal in config.objectives])
    _check_members(members)
    if config.scheduler.type not in SCHEDULERS:
        raise ValueError(
            f"scheduler.type: {config.scheduler.type} ranks trials by one value and the sweep has several objectives, "
            f"take {' or '.join(SCHEDULERS)}"
        )
    if config.stages:
        raise ValueError("stages start from the best trial and the sweep has several objectives, leave them out")
    for name in ("target", "plateau"):
        if getattr(config.budget, name, None) is not None:
            raise ValueError(f"budget.{name} is about one value and the sweep has several objectives, leave it out")


def _check_objectives(metrics: list[str]) -> None:
    if len(metrics) < 2:
        raise ValueError(f"objectives has only {metrics[0]}: give a second one, or write metric and mode instead")
    twice = [metric for metric in metrics if metrics.count(metric) > 1]
    if twice:
        raise ValueError(f"objectives names {twice[0]} more than once, give each goal once")


def _check_members(members: tuple[str, ...]) -> None:
    known = ", ".join(SAMPLERS)
    for name in members:
        if name not in SAMPLERS:
            raise ValueError(
                f"sampler.members: {name} searches for the best of one value and the sweep has several objectives, "
                f"take one of {known}"
            )
    if len(members) > 1:
        raise ValueError(
            f"sampler.members: a portfolio ({', '.join(members)}) compares its members by one value and the sweep has "
            f"several objectives, take one of {known}"
        )
