"""ComparisonConfig: the YAML of ``hypsweep compare``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from data_prep.errors import InputError
from data_prep.files import read_yaml_mapping
from data_prep.validation import ConfigPath, FrozenModel, describe
from search.compare.arms import Arm, split_arm
from search.confirm.verdict import Rule
from search.paths import weights_path

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
"""Names folders and sweeps, and stands in tables."""
_WITHOUT: dict[str, Any] = {"stages": [], "start_from": [], "budget": {}, "study_storage": None}
"""What a comparison leaves of a sweep's YAML: the arms' sweeps have a space, trials and folders of their own."""
_OWN = ("name", "data", "space", "trials", "hyp", "metric", "mode", "objectives", "train.seed", "train.val_split")
"""Keys that are the comparison's own while it tunes."""


def dotted(values: dict[str, Any]) -> dict[str, Any]:
    """Refuse a mapping as a value: it would take the place of all that the sweep has there, without a word.

    Raises:
        ValueError: There is one.
    """
    for key, value in values.items():
        if isinstance(value, dict) and value:
            raise ValueError(f"{key} would replace all of `{key}`; write dotted keys, `{key}.{next(iter(value))}: ...`")
    return values


class TuneConfig(FrozenModel):
    """How each arm is tuned by itself before it is compared: a sweep of its own."""

    space: ConfigPath
    """What is searched; an arm's own value of one of these is where its search starts."""

    trials: int = Field(ge=2)
    """Trials of each arm's sweep."""

    set: dict[str, Any] = Field(default_factory=dict)
    """Dotted keys of the sweep that are different while it tunes, e.g. ``train.train_split: mini_train``."""

    @field_validator("set")
    @classmethod
    def _dotted(cls, values: dict[str, Any]) -> dict[str, Any]:
        return dotted(values)


class ComparisonConfig(FrozenModel):
    """What is compared, and how."""

    name: str = Field(pattern=_NAME)
    """Names the folder, ``runs/<name>``, where ``--out`` does not."""

    sweep: ConfigPath
    """YAML of a sweep: its data, model, hyp, resources and metric are what the arms share."""

    set: dict[str, Any] = Field(default_factory=dict)
    """Dotted keys of it that are different here, e.g. ``train.epochs: 20``."""

    arms: dict[str, dict[str, Any]] = Field(min_length=2)
    """By name what each arm sets: hyps and training settings."""

    reference: str | None = None
    """The arm that the others are compared with; None takes the first."""

    tune: TuneConfig | None = None
    """None compares the arms as they are."""

    seeds: int = Field(default=3, ge=2)
    """Seeds of the first round, and of further ones; of two arms two seeds tell next to nothing."""

    max_seeds: int = Field(default=6, ge=2)
    """Seeds at most; raised later, the comparison goes on."""

    smallest_gain: float = Field(default=0.01, gt=0)
    """Difference in the metric that matters."""

    max_megabytes: float = Field(default=100.0, gt=0)
    """Largest weights file, in 10^6 bytes; an arm with larger ones is shown and not trained."""

    @field_validator("arms")
    @classmethod
    def _resolve_weights(cls, arms: dict[str, dict[str, Any]], info: ValidationInfo) -> dict[str, dict[str, Any]]:
        return {
            name: {key: weights_path(value, info) if key == "weights" else value for key, value in arm.items()}
            for name, arm in arms.items()
        }

    @field_validator("arms", mode="before")
    @classmethod
    def _names_are_text(cls, arms: Any) -> Any:  # noqa: ANN401  whatever stands in the YAML
        strange = [name for name in arms if not isinstance(name, str)] if isinstance(arms, dict) else []
        if strange:
            raise ValueError(f"YAML reads the name {strange[0]!r} as no text; put it in quotes")
        return arms

    @field_validator("set")
    @classmethod
    def _dotted(cls, values: dict[str, Any]) -> dict[str, Any]:
        return dotted(values)

    @field_validator("arms")
    @classmethod
    def _check_arms(cls, arms: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name, values in arms.items():
            if not re.fullmatch(_NAME, name):
                raise ValueError(f"{name!r} is no name of an arm; use at most 40 letters, digits, `.`, `_` and `-`")
            split_arm(name, values)
        return arms

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.reference is not None and self.reference not in self.arms:
            raise ValueError(f"reference {self.reference} is none of the arms {', '.join(self.arms)}; name one of them")
        self._check_tuned()
        if self.max_seeds < self.seeds:
            raise ValueError(f"max_seeds {self.max_seeds} is less than seeds {self.seeds}; give at least as many")
        return self

    def _check_tuned(self) -> None:
        arms = {f"train.{key}" for arm in self.ordered() for key in arm.train}
        for key in self.tune.set if self.tune else ():
            if key in _OWN:
                raise ValueError(f"tune.set.{key} is the comparison's own; leave it out")
            if key in arms:
                raise ValueError(f"tune.set.{key} would undo what an arm sets; leave it out")

    @property
    def rule(self) -> Rule:
        """When it is decided."""
        return Rule(step=self.seeds, most=self.max_seeds, smallest_gain=self.smallest_gain)

    def ordered(self) -> tuple[Arm, ...]:
        """The arms, the reference first."""
        first = self.reference or next(iter(self.arms))
        return tuple(split_arm(name, self.arms[name]) for name in sorted(self.arms, key=lambda name: name != first))

    def overrides(self, *more: Mapping[str, Any]) -> list[str]:
        """What differs from the sweep's YAML, as ``--set`` takes it; later mappings win."""
        changed = {key: value for each in (_WITHOUT, self.set, *more) for key, value in each.items()}
        return [f"{key}={json.dumps(value, ensure_ascii=False, default=str)}" for key, value in changed.items()]


def load_comparison(path: str | Path, **changes: Any) -> ComparisonConfig:  # noqa: ANN401  whatever the keys take
    """Read a comparison's YAML; relative paths in it are taken against its own folder.

    Args:
        path:
            The file, or the folder of a comparison, which keeps its own.
        changes:
            Keys that are different.

    Raises:
        InputError: One sentence with file, key and remedy.
    """
    path = Path(path)
    path = path / COMPARISON_YAML if path.is_dir() else path
    values = {**read_yaml_mapping(path), **changes}
    try:
        return ComparisonConfig.model_validate(values, context={"folder": path.absolute().parent})
    except ValidationError as error:
        raise InputError(f"{path}: {describe(error, values, ComparisonConfig)}") from error


COMPARISON_YAML = "comparison.yaml"
"""What a comparison's folder keeps of its configuration."""
