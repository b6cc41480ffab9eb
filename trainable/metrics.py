"""EpochMetrics: everything that one epoch reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainable.yolov5_parts import ap_per_class

LR_GROUPS = ("bias", "weight", "norm")
"""YOLOv5's parameter groups in its order (its ``x/lr0``, ``x/lr1``, ``x/lr2``); ``weight`` has the weight decay."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Losses:
    """YOLOv5's three losses, averaged over the batches and already multiplied by their gains."""

    box: float
    obj: float
    cls: float

    def as_dict(self, prefix: str) -> dict[str, float]:
        """``{prefix}_box_loss`` and so on."""
        return {f"{prefix}_{name}_loss": value for name, value in dataclasses.asdict(self).items()}


@dataclass(frozen=True)
class ClassMetrics:
    """Detection quality for one class, or the mean over the classes that have labels.

    Precision and recall stand at the confidence of the best mean F1, as in YOLOv5.
    """

    precision: float = 0.0
    recall: float = 0.0
    map50: float = 0.0
    """Average precision at IoU 0.50."""
    map75: float = 0.0
    """Average precision at IoU 0.75."""
    map50_95: float = 0.0
    """Average precision, mean over IoU 0.50, 0.55 ... 0.95."""

    @property
    def fitness(self) -> float:
        """0.1 mAP50 + 0.9 mAP50-95 (YOLOv5's ``utils.metrics.fitness``)."""
        return 0.1 * self.map50 + 0.9 * self.map50_95


@dataclass(frozen=True)
class Evaluation:
    """What a validation finds."""

    overall: ClassMetrics
    per_class: Mapping[str, ClassMetrics]
    losses: Losses

    def as_dict(self) -> dict[str, Any]:
        """``fitness``, precision to mAP50-95 and the validation losses, and ``per_class`` below it."""
        per_class = {name: dataclasses.asdict(found) for name, found in self.per_class.items()}
        flat = {"fitness": self.overall.fitness, **dataclasses.asdict(self.overall), **self.losses.as_dict("val")}
        return {**flat, "per_class": per_class}


@dataclass(frozen=True)
class EpochMetrics:
    """Everything that one epoch reports."""

    epoch: int
    """Number of finished epochs, from 1."""
    evaluation: Evaluation | None
    """None where the training has no validation split."""
    train: Losses
    learning_rates: tuple[float, ...]
    """At the end of the epoch, of the parameter groups ``LR_GROUPS``."""
    epoch_seconds: float
    """Training and validation together."""
    images_per_second: float
    """Training images per second of training, without validation."""
    batch_size: int = 0
    """Images per forward pass; less than configured where memory ran out."""
    gpu_memory: tuple[int, int] | None = None
    """Most bytes of GPU memory that this process held in the epoch, and those of the GPU; None on a CPU."""
    skipped_images: int = 0
    """Images of both splits that were left out because they or their labels are broken."""

    def as_dict(self) -> dict[str, Any]:
        """One level of plain numbers under the names that sweeps and TensorBoard use, and ``per_class`` below it."""
        flat: dict[str, Any] = {"epoch": self.epoch} | self.train.as_dict("train")
        flat |= {f"lr_{group}": value for group, value in zip(LR_GROUPS, self.learning_rates, strict=True)}
        flat |= {"epoch_seconds": self.epoch_seconds, "images_per_second": self.images_per_second}
        flat |= {"batch_size": self.batch_size, "skipped_images": self.skipped_images}
        if self.gpu_memory is not None:
            flat["gpu_memory_peak"], flat["gpu_memory_total"] = self.gpu_memory
        return flat | (self.evaluation.as_dict() if self.evaluation else {})


def evaluate_matches(
    correct: npt.NDArray[np.bool_],
    confidence: Floats,
    predicted: Floats,
    labelled: Floats,
    names: Sequence[str],
) -> tuple[ClassMetrics, dict[str, ClassMetrics]]:
    """Precision, recall and average precision from matched predictions (YOLOv5's ``ap_per_class``).

    Args:
        correct:
            Shape (predictions, 10): whether the prediction matches a label at IoU 0.50, 0.55 ... 0.95.
        confidence:
            Shape (predictions,).
        predicted:
            Shape (predictions,): class of each prediction.
        labelled:
            Shape (labels,): class of each label.
        names:
            Class names.

    Returns:
        The mean over the classes that have labels, and each of those classes by name. All zero where nothing matches.
    """
    if not correct.any():
        present = np.unique(labelled.astype(int))
        return ClassMetrics(), {names[index]: ClassMetrics() for index in present}
    _, _, precision, recall, _, ap, classes = ap_per_class(
        correct, confidence, predicted, labelled, plot=False, names=dict(enumerate(names))
    )
    columns = np.stack([precision, recall, ap[:, 0], ap[:, 5], ap.mean(1)], axis=1)
    rows = {names[index]: ClassMetrics(*map(float, row)) for index, row in zip(classes, columns, strict=True)}
    return ClassMetrics(*map(float, columns.mean(0))), rows
