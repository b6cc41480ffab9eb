"""TrainSettings: what stands beside a hyp in one training: model, data, schedule, batch, device."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data_prep.errors import InputError
from data_prep.silver.rule import refusal
from trainable.models import model_names, model_yaml

OPTIMIZERS = ("SGD", "Adam", "AdamW")
LR_SCHEDULES = ("linear", "cosine")
CACHES = ("disk", "ram", "none")
PATHS = ("fast", "exact")
BROKEN_IMAGES = ("skip", "fail")
CHOICES = {
    "optimizer": OPTIMIZERS,
    "lr_schedule": LR_SCHEDULES,
    "cache": CACHES,
    "path": PATHS,
    "broken_images": BROKEN_IMAGES,
}
LEAST = {
    "epochs": 1,
    "image_size": 1,
    "batch_size": 1,
    "nominal_batch_size": 1,
    "min_warmup_iterations": 0,
    "workers": 0,
    "seed": 0,
}
"""Whole numbers, and the least that each may be."""
SILVER = {
    "silver_confidence": "confidence",
    "silver_iou": "iou",
    "silver_min_boxes": "min_boxes",
    "silver_merge_iou": "merge_iou",
}
"""Settings that change the rule of silver labels, to the rule's own names (:class:`data_prep.silver.SilverRule`)."""


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
    """Checkpoint to start from: official (by name, ``yolov5n.pt``), our own, or a plain state_dict; None starts from
    scratch."""
    weights_sha256: str | None = None
    """What the SHA-256 of ``weights`` must be, 64 hex digits; None takes any."""
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
    path: str = "fast"
    """``fast``, or ``exact``: YOLOv5's own random stream and arithmetic, bit by bit."""
    amp: bool = True
    """Mixed precision: on a GPU; on the fast path also on a CPU that computes in bfloat16."""
    train_split: str = "train"
    """Key of the data.yaml to train on; ``mini_train`` and ``full`` fall back as in :mod:`data_prep.dataset`."""
    val_split: str | None = "val"
    """Key of the data.yaml to validate on; None trains without validation (a final training has seen ``val``)."""
    workers: int = 0
    """Threads that make batches ahead, at least one. Where YOLOv5 augments itself (the exact path, and labels that are
    polygons) processes; 0 does it in the training process."""
    cache: str = "disk"
    """Decoded, resized images that all trials of a node share: a memory-mapped file on ``disk`` or in ``ram``; ``none``
    decodes them each time."""
    cache_dir: str | None = None
    """Folder of those files on each node; None takes ``$XDG_CACHE_HOME/hypsweep`` (``~/.cache/hypsweep``)."""
    broken_images: str = "skip"
    """An image that cannot be decoded is named and left out (``skip``), or ends the sweep (``fail``)."""
    autoanchor: bool = True
    """Recompute the anchors where they fit the data badly, as YOLOv5 does."""
    silver_confidence: float | None = None
    """Confidence that a prediction needs to be a label, where the data set has silver labels; None takes that of the
    data set. If any of these four is set, the labels of the training are made anew from the data set's candidates."""
    silver_iou: float | None = None
    """IoU threshold of the NMS of those predictions; None takes that of the data set."""
    silver_min_boxes: int | None = None
    """Boxes that a picture needs to get silver labels; None takes that of the data set."""
    silver_merge_iou: float | None = None
    """Overlap from which a gold box stands for a prediction; None takes that of the data set."""

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(f"train.{name} is {getattr(self, name)!r}: choose one of {', '.join(choices)}.")
        if model_yaml(self.model) is None:
            raise InputError(f"train.model is {self.model!r}: the yolov5 package has {', '.join(model_names())}.")
        if self.weights_sha256 is not None and self.weights is None:
            raise InputError("train.weights_sha256 stands without train.weights: name the weights, or leave it out.")
        for name, least in LEAST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or value < least:
                raise InputError(f"train.{name} is {value}: give a whole number of at least {least}.")
        if self.seed >= 2**32:
            raise InputError(f"train.seed is {self.seed}: give a whole number below 2**32, as NumPy wants it.")
        self._check_silver()
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"train.label_smoothing is {self.label_smoothing}: give a number in [0, 1).")

    def _check_silver(self) -> None:
        for name, field in SILVER.items():
            value = getattr(self, name)
            complaint = None if value is None else refusal(field, value)
            if complaint is not None:
                raise InputError(f"train.{name} is {value!r}: {complaint}.")

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
    def silver(self) -> dict[str, Any]:
        """What the training changes in the rule of its silver labels, by the rule's own names; empty for nothing."""
        return {field: getattr(self, name) for name, field in SILVER.items() if getattr(self, name) is not None}

    @property
    def accumulation(self) -> int:
        """Batches per optimizer step, after the warm-up."""
        return max(round(self.nominal_batch_size / self.batch_size), 1)

    def as_dict(self) -> dict[str, Any]:
        """Key to value, as JSON and YAML can hold them."""
        return dataclasses.asdict(self)
