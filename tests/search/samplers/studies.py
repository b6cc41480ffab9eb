"""Studies with a known past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState


def study_of(*trials: FrozenTrial, direction: str = "maximize", **options: Any) -> optuna.Study:
    study = optuna.create_study(direction=direction, **options)
    study.add_trials(trials)
    return study


def finished(
    params: Mapping[str, Any],
    space: Mapping[str, BaseDistribution],
    value: float | None = None,
    steps: Mapping[int, float] | None = None,
    state: TrialState = TrialState.COMPLETE,
) -> FrozenTrial:
    return optuna.create_trial(
        params=dict(params),
        distributions={name: space[name] for name in params},
        value=value,
        intermediate_values=dict(steps or {}),
        state=state,
    )


def next_trial(study: optuna.Study) -> FrozenTrial:
    """A RUNNING trial without parameters, as a sampler sees it first."""
    return study._storage.get_trial(study._storage.create_new_trial(study._study_id))


def trial_numbered(number: int) -> FrozenTrial:
    trial = optuna.create_trial(state=TrialState.RUNNING)
    trial.number = number
    return trial
