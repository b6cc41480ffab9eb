"""Arms: what a comparison trains differently, hyps and training settings apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError
from search.config import SweepConfig
from search.config_files import check_files
from search.space import PRETRAINED
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

SHARED = (
    "data",
    "seed",
    "val_split",
    "device",
    "workers",
    "cache",
    "cache_dir",
    "broken_images",
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
        elif key in SETTINGS:
            train[key] = value
        elif key != PRETRAINED:
            raise ValueError(_unknown(name, key))
    if "weights" in train:
        train.setdefault("weights_sha256", None)  # that of the sweep is of other weights
    pretrained = values.get(PRETRAINED)
    if pretrained not in (None, True, False):
        raise ValueError(f"arms.{name}.{PRETRAINED} is {pretrained!r}, write true or false")
    if pretrained is False:
        if train.get("weights") is not None:
            raise ValueError(f"arms.{name} has weights and {PRETRAINED} false, leave out one of them")
        train |= {"weights": None, "weights_sha256": None}
    return Arm(name, hyp, train, bool(pretrained))


def _unknown(name: str, key: str) -> str:
    if key in SHARED:
        return f"arms.{name}.{key} must be the same for all arms, set it under `set: {{train.{key}: ...}}`"
    near = get_close_matches(key, (*Hyp.names(), *SETTINGS, PRETRAINED))
    hint = f"did you mean {' or '.join(near)}?" if near else "remove it"
    return f"arms.{name}.{key} is neither a hyp of YOLOv5 nor a training setting, {hint}"


def checked_arm(arm: Arm, base: SweepConfig) -> tuple[Arm, TrainSettings]:
    """An arm with its values as they are trained (a ``"320"`` of a YAML is 320), and its settings, complete.

    Raises:
        InputError: A value or a file is wrong; the message names the arm.
    """
    config = base.model_copy(update={"train": {**base.train, **arm.train}})
    try:
        hyp = Hyp.from_mapping({**base.base_hyp().as_dict(), **arm.hyp}).as_dict()
        settings = config.settings()
        _check_pretrained(arm, settings)
        check_files(config)
        _check_split(settings)
    except InputError as error:
        raise InputError(f"arms.{arm.name}: {error}") from error
    train = settings.as_dict()
    return replace(arm, hyp={name: hyp[name] for name in arm.hyp}, train={n: train[n] for n in arm.train}), settings


def _check_split(settings: TrainSettings) -> None:
    """Check that there is something to train on that is not what it is judged on."""
    data = read_data_yaml(Path(settings.data))
    if settings.train_split in (settings.val_split, "full"):
        raise InputError(
            f"train_split is {settings.train_split}, which has the pictures of {settings.val_split} that the arms are "
            "judged on: take train or another part of it."
        )
    data.images(settings.train_split)


def _check_pretrained(arm: Arm, settings: TrainSettings) -> None:
    if arm.pretrained and settings.weights is None:
        raise InputError(f"{PRETRAINED} is true and there are no weights: name them in `weights`.")
