"""The values of a trial by epoch, whether its study has one goal or several.

Optuna has intermediate values for one goal only, and its TPE fails on a study of several that has them. There the
values of all goals are in one user attribute of the trial, ``objectives``: epoch to values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optuna.trial import FrozenTrial

OBJECTIVES = "objectives"
"""User attribute of a trial: epoch (as text, so JSON wants it) to the values of all goals, in their order."""
REJECTED = "rejected"
"""User attribute of a trial that was drawn and never trained: which limit it breaks, in words."""


def is_rejected(trial: FrozenTrial) -> bool:
    """Whether a trial was drawn and never trained, because it breaks a constraint."""
    return REJECTED in trial.user_attrs


def values_by_epoch(trial: FrozenTrial) -> dict[int, tuple[float, ...]]:
    """The values of all goals at each epoch that a trial reported."""
    if OBJECTIVES in trial.user_attrs:
        return {int(epoch): tuple(values) for epoch, values in trial.user_attrs[OBJECTIVES].items()}
    return {epoch: (value,) for epoch, value in trial.intermediate_values.items()}


def first_goal(trial: FrozenTrial) -> Mapping[int, float]:
    """The values of the first goal, the only one of most sweeps, at each epoch that a trial reported."""
    if OBJECTIVES in trial.user_attrs:
        return {epoch: values[0] for epoch, values in values_by_epoch(trial).items()}
    return trial.intermediate_values


def with_epoch(trial: FrozenTrial, epoch: int, values: Sequence[float]) -> dict[str, list[float]]:
    """What ``objectives`` holds once an epoch is added."""
    return {**trial.user_attrs.get(OBJECTIVES, {}), str(epoch): list(values)}
