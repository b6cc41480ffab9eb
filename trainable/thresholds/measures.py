"""What thresholds are chosen for: average precision, F1, precision at a recall or recall at a precision.

All are means over the classes that have labels, as YOLOv5's are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from data_prep.errors import InputError
from trainable.thresholds.table import Detections
from trainable.validation import IOU_LEVELS

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

EPSILON = 1e-16
"""YOLOv5 adds it to the number of labels (``yolov5.utils.metrics.ap_per_class``)."""
_POINTS = np.linspace(0, 1, 101)


class OfClass(NamedTuple):
    """Detections of one class, most confident first.

    Attributes:
        confidence:
            Shape (n,).
        image:
            Shape (n,): number of the image.
        correct:
            Shape (n, columns): whether it matches, at the IoUs of a measure.
    """

    confidence: npt.NDArray[np.float32]
    image: npt.NDArray[np.int32]
    correct: npt.NDArray[np.bool_]


ByClass = Mapping[int, OfClass]


class Values(NamedTuple):
    """What a measure says at several confidence thresholds.

    Attributes:
        value:
            Shape (thresholds,): the more the better.
        held:
            Shape (thresholds,): what must reach :attr:`Measure.least`; NaN where nothing must.
    """

    value: Array
    held: Array


class Measure(Protocol):
    """Judges detections."""

    @property
    def name(self) -> str:
        """As :func:`parse_measure` reads it."""

    @property
    def columns(self) -> tuple[int, ...]:
        """Which of the ten IoU levels it looks at."""

    @property
    def least(self) -> float | None:
        """What :attr:`Values.held` must reach; None where nothing must."""

    @property
    def ranking(self) -> bool:
        """Whether it judges a ranking, rather than the boxes that a threshold leaves."""

    def at(self, found: ByClass, labels: Counts, thresholds: Array) -> Values:
        """Judge the detections that are more confident than each of some thresholds.

        Args:
            found:
                Detections by class, with the columns of this measure.
            labels:
                Shape (classes,): how many labels there are of each class.
            thresholds:
                Shape (thresholds,).
        """


@dataclass(frozen=True)
class AveragePrecision:
    """Mean average precision, a weighted sum over IoU levels.

    Attributes:
        name:
            Of the metric.
        weights:
            Weight of each of the ten IoU levels.
        exact:
            The area below the curve of the best precision at each recall, as ``map-boxes`` and Pascal VOC 2010 have
            it; else YOLOv5's: that curve at 101 recalls, with a straight line from its end down to (1, 0).
    """

    name: str
    weights: tuple[float, ...]
    exact: bool = False
    least: float | None = None
    ranking: bool = True

    @property
    def columns(self) -> tuple[int, ...]:
        """See :class:`Measure`."""
        return tuple(column for column, weight in enumerate(self.weights) if weight)

    def at(self, found: ByClass, labels: Counts, thresholds: Array) -> Values:
        """See :class:`Measure`."""
        weights = [weight for weight in self.weights if weight]
        total = np.zeros(len(thresholds))
        present = np.flatnonzero(labels)
        for kind in present:
            if kind in found:
                counts = _above(found[kind], thresholds)
                for column, weight in enumerate(weights):
                    correct = found[kind].correct[:, column]
                    total += weight * average_precision(correct, int(labels[kind]), counts, exact=self.exact)
        return Values(total / max(len(present), 1), np.full(len(thresholds), np.nan))


@dataclass(frozen=True)
class WorkingPoint:
    """F1, or precision where recall is high enough, or recall where precision is, of the boxes that are left.

    Precision of a class without a box is 1, as at the end of YOLOv5's curves, and its recall and F1 are 0.

    Attributes:
        name:
            Of the metric.
        wanted:
            ``f1``, ``precision`` or ``recall``.
        column:
            IoU level of a match, by its number.
        least:
            What recall (precision) must reach; None for F1.
    """

    name: str
    wanted: str
    column: int
    least: float | None = None
    ranking: bool = False

    @property
    def columns(self) -> tuple[int, ...]:
        """See :class:`Measure`."""
        return (self.column,)

    def at(self, found: ByClass, labels: Counts, thresholds: Array) -> Values:
        """See :class:`Measure`."""
        sums = {"precision": np.zeros(len(thresholds)), "recall": np.zeros(len(thresholds))}
        sums["f1"] = np.zeros(len(thresholds))
        present = np.flatnonzero(labels)
        for kind in present:
            precision, recall = np.ones(len(thresholds)), np.zeros(len(thresholds))
            if kind in found:
                counts = _above(found[kind], thresholds)
                right = np.concatenate(([0], found[kind].correct[:, 0].cumsum()))[counts]
                precision = np.where(counts > 0, right / np.maximum(counts, 1), 1.0)
                recall = right / labels[kind]
            sums["precision"] += precision
            sums["recall"] += recall
            sums["f1"] += 2 * precision * recall / (precision + recall + EPSILON)
        means = {name: total / max(len(present), 1) for name, total in sums.items()}
        other = {"precision": "recall", "recall": "precision"}.get(self.wanted)
        return Values(means[self.wanted], means[other] if other else np.full(len(thresholds), np.nan))


def average_precision(correct: npt.NDArray[np.bool_], labels: int, counts: Counts, *, exact: bool) -> Array:
    """Average precision of one class (``yolov5.utils.metrics.compute_ap``) of the first detections of a list.

    Args:
        correct:
            Shape (n,): whether each detection is right, most confident first.
        labels:
            How many labels the class has.
        counts:
            Shape (thresholds,): how many of the detections count.
        exact:
            See :class:`AveragePrecision`.

    Returns:
        Shape (thresholds,).
    """
    right = correct.cumsum()
    recall, precision = right / (labels + EPSILON), right / np.arange(1, len(right) + 1)
    area = _exact_area if exact else _yolov5_area
    known = {int(count): area(recall[:count], precision[:count]) if count else 0.0 for count in np.unique(counts)}
    return np.array([known[int(count)] for count in counts])


def by_class(found: Detections, columns: tuple[int, ...]) -> dict[int, OfClass]:
    """Detections by class, with some of the IoU levels."""
    if not len(found):
        return {}
    order = np.argsort(found.kind, kind="stable")
    kinds, starts = np.unique(found.kind[order], return_index=True)
    parts = np.split(order, starts[1:])
    correct = found.correct[:, list(columns)]
    return {
        int(kind): OfClass(found.confidence[rows], found.image[rows], correct[rows])
        for kind, rows in zip(kinds, parts, strict=True)
    }


def parse_measure(text: str, match_iou: float = 0.5) -> Measure:
    """The measure that a name means.

    Args:
        text:
            ``map50``, ``map75``, ``map50_95``, ``fitness`` (as :class:`trainable.metrics.ClassMetrics` has them),
            ``score50`` or ``score75`` (as ``hypsweep score`` and ``map-boxes`` have them), ``f1``,
            ``precision@recall=R`` or ``recall@precision=P``.
        match_iou:
            IoU of a match, one of 0.50, 0.55 ... 0.95, for the metrics that name none.

    Raises:
        InputError: There is no such metric or IoU level.
    """
    levels = np.flatnonzero(np.isclose(IOU_LEVELS, match_iou))
    if not len(levels):
        raise InputError(f"--match-iou is {match_iou:g}: give one of 0.5, 0.55 ... 0.95.")
    known: dict[str, Measure] = {
        "map50": AveragePrecision("map50", _only(0)),
        "map75": AveragePrecision("map75", _only(5)),
        "map50_95": AveragePrecision("map50_95", (0.1,) * 10),
        "fitness": AveragePrecision("fitness", (0.19, *(0.09,) * 9)),  # 0.1 mAP50 + 0.9 mAP50-95
        "score50": AveragePrecision("score50", _only(0), exact=True),
        "score75": AveragePrecision("score75", _only(5), exact=True),
        "f1": WorkingPoint("f1", "f1", int(levels[0])),
    }
    if text in known:
        return known[text]
    found = re.fullmatch(r"(precision)@recall=([\d.]+)|(recall)@precision=([\d.]+)", text)
    least = _number(found[2] or found[4]) if found else None
    if found is None or least is None:
        raise InputError(
            f"the metric is {text!r}: choose one of {', '.join(known)}, precision@recall=0.9 or recall@precision=0.9."
        )
    return WorkingPoint(text, found[1] or found[3], int(levels[0]), least)


def _only(column: int) -> tuple[float, ...]:
    return tuple(float(each == column) for each in range(len(IOU_LEVELS)))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value <= 1 else None


def _above(found: OfClass, thresholds: Array) -> Counts:
    """How many detections are more confident than each threshold, in float32 as the network's confidences are."""
    counts: Counts = np.searchsorted(-found.confidence, -thresholds.astype(np.float32), side="left")
    return counts


def _envelope(recall: Array, precision: Array) -> tuple[Array, Array]:
    """The best precision at each recall or a higher one, with YOLOv5's ends."""
    best = np.concatenate(([1.0], precision, [0.0]))
    return np.concatenate(([0.0], recall, [1.0])), np.flip(np.maximum.accumulate(np.flip(best)))


def _yolov5_area(recall: Array, precision: Array) -> float:
    recalls, best = _envelope(recall, precision)
    return float(np.trapezoid(np.interp(_POINTS, recalls, best), _POINTS))


def _exact_area(recall: Array, precision: Array) -> float:
    recalls, best = _envelope(recall, precision)
    return float(np.sum(np.diff(recalls) * best[1:]))
