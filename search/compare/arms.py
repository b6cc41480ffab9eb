"""Arms: what a comparison trains differently, hyps and training settings apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from data_prep.errors import InputError
from search.config import SweepConfig
from search.space import PRETRAINED
from trainable.hyp import Hyp, read_hyp_values
from trainable.settings import TrainSettings

SHARED = (
    "data",
    "epochs",
    "seed",
    "val_split",
    "device",
    "workers",
    "cache",
    "cache_dir",
    "broken_images",
    "weights_sha256",
)
"""Settings that all arms must have in common for their values to mean the same, or that say where they are trained."""
SETTINGS = tuple(field.name for field in dataclasses.fields(TrainSettings) if field.name not in SHARED)
"""Settings that an arm may have of its own."""


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        name:
            What it is called.
        hyp:
            Hyps that it sets.
        train:
            Training settings that it sets.
        pretrained:
            Whether it says that it starts from weights.
    """

    name: str
    hyp: Mapping[str, float]
    train: Mapping[str, Any]
    pretrained: bool = False

    def with_values(self, hyp: Mapping[str, float], train: Mapping[str, Any]) -> Arm:
        """The same with more hyps and settings, which win."""
        return Arm(self.name, {**self.hyp, **hyp}, {**self.train, **train}, self.pretrained)

    @property
    def sets(self) -> dict[str, Any]:
        """All that it sets, by name."""
        return {**self.train, **self.hyp}


def split_arm(name: str, values: Mapping[str, Any]) -> Arm:
    """Part what an arm sets into hyps and settings.

    Raises:
        ValueError: A key is neither, or one that all arms must share.
    """
    hyp: dict[str, Any] = {}
    train: dict[str, Any] = {}
    for key, value in values.items():
        if key in Hyp.names():
            hyp[key] = value
        elif key == PRETRAINED:
            if value not in (True, False):
                raise ValueError(f"arms.{name}.{PRETRAINED} is {value!r}, write true or false")
            train |= {} if value else {"weights": None, "weights_sha256": None}
        elif key in SETTINGS:
            train[key] = value
        else:
            raise ValueError(_unknown(name, key))
    return Arm(name, hyp, train, bool(values.get(PRETRAINED)))


def _unknown(name: str, key: str) -> str:
    if key in SHARED:
        return f"arms.{name}.{key} must be the same for all arms, set it under `set: {{train.{key}: ...}}`"
    near = get_close_matches(key, (*Hyp.names(), *SETTINGS, PRETRAINED))
    hint = f"did you mean {' or '.join(near)}?" if near else "remove it"
    return f"arms.{name}.{key} is neither a hyp of YOLOv5 nor a training setting, {hint}"


def check_arm(arm: Arm, base: SweepConfig) -> TrainSettings:
    """The settings of an arm, complete and checked.

    Raises:
        InputError: A value is wrong; the message names the arm.
    """
    try:
        own = read_hyp_values(base.hyp) if base.hyp else {}
        Hyp.from_mapping({**Hyp().as_dict(), **own, **arm.hyp}, "hyp")
        settings = base.model_copy(update={"train": {**base.train, **arm.train}}).settings()
        _check_pretrained(arm, settings)
    except InputError as error:
        raise InputError(f"arms.{arm.name}: {error}") from error
    return settings


def _check_pretrained(arm: Arm, settings: TrainSettings) -> None:
    if arm.pretrained and settings.weights is None:
        raise InputError(f"{PRETRAINED} is true and there are no weights: name them in `weights`.")
