"""The stages of a sweep, as its configuration names them and as its study has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial
from pydantic import Field, ValidationInfo, field_validator

from data_prep.errors import InputError
from data_prep.validation import ConfigPath, FrozenModel
from search.goals.record import is_rejected
from search.samplers import FINITE
from search.samplers.keys import STAGE_KEY
from search.samplers.stages import Stage, stage_name
from search.space import load_space

if TYPE_CHECKING:
    from search.space import Space


class StageConfig(FrozenModel):
    """One stage of a sweep."""

    name: str = Field(pattern=r"^\S+$")
    """Its name, stored with its trials; no blanks."""
    trials: int = Field(ge=1)
    """How many trials it starts, whatever becomes of them; the last stage also takes what a resume adds."""
    parameters: tuple[str, ...] | None = Field(default=None, min_length=1)
    """What it searches, by name in the space; all else stays where the stage starts. None: all, or what ``space``
    names."""
    space: ConfigPath | None = None
    """A space YAML that names ``parameters``; their bounds are those of the sweep's own space."""

    @field_validator("space")
    @classmethod
    def _named_once(cls, space: ConfigPath | None, info: ValidationInfo) -> ConfigPath | None:
        if space is not None and info.data.get("parameters") is not None:
            raise ValueError("stands beside parameters, which name the group, too, take one of them out")
        return space

    def names(self) -> tuple[str, ...] | None:
        """What it searches, by name; None: all.

        Raises:
            InputError: The space YAML is missing or wrong.
        """
        return self.parameters if self.space is None else tuple(load_space(self.space).parameters)

    def whole(self) -> dict[str, Any]:
        """As the folder of a sweep keeps it: with the names themselves in place of a file that has them."""
        named = self.names()
        group = {} if named is None else {"parameters": list(named)}
        return {"name": self.name, "trials": self.trials, **group}


def with_trials_of_stages(values: Any) -> Any:  # noqa: ANN401  whatever stands in the YAML
    """Give a sweep that names no ``trials`` those of its stages."""
    if not isinstance(values, Mapping) or not isinstance(stages := values.get("stages"), list | tuple):
        return values
    counts = [stage.get("trials") for stage in stages if isinstance(stage, Mapping)]
    total = sum(count for count in counts if isinstance(count, int))
    return {"trials": total, **values} if total else values


def check_stages(stages: Sequence[StageConfig], trials: int, members: Sequence[str]) -> None:
    """Check that stages go together with the trials of their sweep and with its samplers.

    Raises:
        ValueError: They do not; the message names the key and what to do instead.
    """
    if not stages:
        return
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names):
        raise ValueError(f"stages: two have one name ({', '.join(names)}): give each a name of its own")
    finite = [name for name in members if name in FINITE]
    if finite:
        raise ValueError(f"sampler.members: {finite[0]} tries the whole space and a stage is a part, leave one out")
    total = sum(stage.trials for stage in stages)
    if total != trials:
        raise ValueError(f"trials is {trials} and the stages have {total} in all: leave trials out, or change a stage")


def stages_of(configs: Sequence[StageConfig], space: Space) -> tuple[Stage, ...]:
    """The stages of a sweep, checked against its space.

    Raises:
        InputError: A stage searches what the space does not hold, or a parameter is in no stage.
    """
    stages = tuple(Stage(c.name, c.trials, _searched(c, space)) for c in configs)
    left = [name for name in space.gains() if not any(name in stage.searched for stage in stages)]
    if stages and left:
        raise InputError(
            f"stages: none searches {', '.join(left)}: add them to a stage, take them out of the space, or give them a "
            "`value` there."
        )
    return stages


def _searched(config: StageConfig, space: Space) -> frozenset[str]:
    named, found = config.names(), set[str]()
    for name in space.gains() if named is None else named:
        here = [each for each in space.gains() if name in (each, space.target(each))]
        if not here:
            raise InputError(
                f"stages: {config.name} searches {name}, which is not searched in the sweep's space: choose from "
                f"{', '.join(space.gains())}."
            )
        found.update(here)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class StageState:
    """How far a stage is.

    Attributes:
        name:
            The stage.
        planned:
            How many trials it was given.
        started:
            How many it has started; the last one more than planned where the sweep was extended.
        start:
            The trial that it started from; None where that is the default hyp, or the stage has not begun.
    """

    name: str
    planned: int
    started: int
    start: int | None

    def __str__(self) -> str:
        origin = "" if self.start is None else f", from trial {self.start}"
        return f"{self.name} {self.started}/{self.planned}{origin}"


def stage_states(configs: Sequence[StageConfig], trials: Sequence[FrozenTrial]) -> tuple[StageState, ...]:
    """How far each stage of a sweep is, read from its study."""
    started = Counter(stage_name(trial) for trial in trials if not is_rejected(trial))
    marks = {stage_name(trial): trial.user_attrs.get(STAGE_KEY) for trial in trials}
    return tuple(StageState(c.name, c.trials, started[c.name], (marks.get(c.name) or {}).get("start")) for c in configs)
