"""Stages: groups of parameters that are searched one after another, in one study.

A trial belongs to the stage that its user attribute ``stage`` names, beside the number of the trial that the stage
started from: the best one at the moment when the stage's first trial was drawn. Which stage comes next follows from
how many trials each has. So all of it can be read from the study at any time, and nothing is held anywhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from search.goals.record import is_rejected
from search.samplers.keys import PAUSED_KEY, STAGE_KEY


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage, as the sweep's space has it.

    Attributes:
        name:
            Its name.
        trials:
            How many trials it starts.
        searched:
            The parameters that it searches.
    """

    name: str
    trials: int
    searched: frozenset[str]


def mark(stage: Stage, start: int | None) -> dict[str, Any]:
    """What a trial of a stage has as its user attribute ``stage``."""
    return {"name": stage.name, "start": start}


def stage_name(trial: FrozenTrial) -> str | None:
    """The stage that a trial belongs to; None where there are no stages."""
    name: str | None = trial.user_attrs.get(STAGE_KEY, {}).get("name")
    return name


def next_stage(stages: Sequence[Stage], trials: Sequence[FrozenTrial]) -> Stage:
    """The stage of the next trial: the first that has not all of its trials, else the last."""
    started = Counter(stage_name(trial) for trial in trials if not is_rejected(trial))
    return next((stage for stage in stages if started[stage.name] < stage.trials), stages[-1])


def start_of(stage: Stage, trials: Sequence[FrozenTrial]) -> dict[str, Any] | None:
    """What the first trial of a stage has as its user attribute; None where the stage has not begun."""
    marks = (trial.user_attrs[STAGE_KEY] for trial in trials if stage_name(trial) == stage.name)
    return next(marks, None)


def held_up_by(stages: Sequence[Stage], trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that still train where the next trial is the first of a stage, which starts from the best of them.

    What waits at a rung does not hold a stage up: it may wait for ever.
    """
    if not stages or start_of(next_stage(stages, trials), trials) is not None:
        return []
    return [t for t in trials if t.state == TrialState.RUNNING and t.user_attrs.get(PAUSED_KEY) is None]
