"""TrainSettings: what stands beside a hyp in one training: model, data, schedule, batch, device."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data_prep.errors import InputError
from trainable.models import model_names, model_yaml

OPTIMIZERS = ("SGD", "Adam", "AdamW")
LR_SCHEDULES = ("linear", "cosine")
CACHES = ("ram", "none")


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """What stands beside a hyp in one training; the defaults are YOLOv5's.

    Raises:
        InputError: A value is out of range or no known choice.
    """

    data: str
    """Path of the ``data.yaml``."""
    epochs: int
    """Length of the schedule, whatever epoch a trial is stopped at."""
    model: str = "yolov5s"
    """A model of the yolov5 package by name: ``yolov5n`` ... ``yolov5x6``."""
    weights: str | None = None
    """Checkpoint to start from: official, our own, or a plain state_dict; None starts from scratch."""
    image_size: int = 640
    """Longer side of the network's input in pixels, rounded up to a multiple of the model's stride."""
    batch_size: int = 16
    """Images per forward pass."""
    nominal_batch_size: int = 64
    """Images per optimizer step; smaller batches are accumulated up to it."""
    min_warmup_iterations: int = 100
    """The warm-up lasts at least so many batches."""
    optimizer: str = "SGD"
    """``SGD``, ``Adam`` or ``AdamW``."""
    lr_schedule: str = "linear"
    """``linear`` or ``cosine``."""
    label_smoothing: float = 0.0
    """Epsilon of the label smoothing."""
    seed: int = 0
    """Seed of the weights, the order of the data and the augmentation."""
    device: str = "auto"
    """``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:N``."""
    amp: bool = True
    """Mixed precision on a GPU; a CPU always computes in float32."""
    train_split: str = "train"
    """Key of the data.yaml to train on; ``mini_train`` and ``full`` fall back as in :mod:`data_prep.dataset`."""
    val_split: str | None = "val"
    """Key of the data.yaml to validate on; None trains without validation (a final training has seen ``val``)."""
    workers: int = 0
    """Processes that load and augment images; 0 does it in the training process."""
    cache: str = "ram"
    """``ram`` keeps decoded, resized images where they fit into half the free memory; ``none`` reads them each time."""
    autoanchor: bool = True
    """Recompute the anchors where they fit the data badly, as YOLOv5 does."""

    def __post_init__(self) -> None:
        for name, choices in (("optimizer", OPTIMIZERS), ("lr_schedule", LR_SCHEDULES), ("cache", CACHES)):
            if getattr(self, name) not in choices:
                raise InputError(f"train.{name} is {getattr(self, name)!r}: choose one of {', '.join(choices)}.")
        if model_yaml(self.model) is None:
            raise InputError(f"train.model is {self.model!r}: the yolov5 package has {', '.join(model_names())}.")
        for name in ("epochs", "image_size", "batch_size", "nominal_batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"train.{name} is {getattr(self, name)}: give a whole number of at least 1.")
        for name in ("min_warmup_iterations", "workers", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"train.{name} is {getattr(self, name)}: give a whole number of at least 0.")
        if self.seed >= 2**32:
            raise InputError(f"train.seed is {self.seed}: give a whole number below 2**32, as NumPy wants it.")
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"train.label_smoothing is {self.label_smoothing}: give a number in [0, 1).")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrainSettings:
        """Settings from a mapping, as a trial's configuration holds them.

        Raises:
            InputError: A key is unknown or missing, or a value is out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise InputError(f"train.{name} is no training setting: known are {', '.join(sorted(known))}.")
        for name in ("data", "epochs"):
            if name not in values:
                raise InputError(f"train.{name} is missing: every training needs it.")
        return cls(**values)

    @property
    def accumulation(self) -> int:
        """Batches per optimizer step, after the warm-up."""
        return max(round(self.nominal_batch_size / self.batch_size), 1)

    def as_dict(self) -> dict[str, Any]:
        """Key to value, as JSON and YAML can hold them."""
        return dataclasses.asdict(self)
