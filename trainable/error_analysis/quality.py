"""Precision, recall and average precision per class and size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from trainable.error_analysis.matching import NONE, match
from trainable.error_analysis.pictures import Bools, Floats, Ints, Picture
from trainable.error_analysis.sizes import ALL, Size
from trainable.thresholds.measures import OfClass, WorkingPoint, average_precision

CONFIDENCES = np.arange(1, 1000) / 1000
"""Working points that are tried for the best F1."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """The detections of all pictures that count at one IoU and size, most confident first, judged.

    Attributes:
        kinds:
            Shape (n,): their classes.
        confidences:
            Shape (n,).
        right:
            Shape (n,): whether each found a label.
        labels:
            Shape (classes,): how many labels there are.
    """

    kinds: Ints
    confidences: Floats
    right: Bools
    labels: Ints

    def of(self, kind: int) -> tuple[Floats, Bools]:
        """Confidences of one class and whether they are right, most confident first."""
        rows = self.kinds == kind
        return self.confidences[rows], self.right[rows]


@dataclass(frozen=True)
class Quality:
    """How well one class (and size) is found.

    Attributes:
        labels:
            Of the class.
        predictions:
            Those above the working confidence.
        right:
            Those of them that found a label.
        average_precision:
            Exact area below the envelope of the precision-recall curve, over all confidences; None without labels.
    """

    labels: int
    predictions: int
    right: int
    average_precision: float | None

    @property
    def precision(self) -> float | None:
        """Share of the predictions that are right; None without predictions."""
        return self.right / self.predictions if self.predictions else None

    @property
    def recall(self) -> float | None:
        """Share of the labels that were found; None without labels."""
        return self.right / self.labels if self.labels else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None where there is neither label nor prediction."""
        both = self.labels + self.predictions
        return 2 * self.right / both if both else None

    def as_dict(self) -> dict[str, float | int | None]:
        """Its figures, as JSON can hold them."""
        rates = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**vars(self), **rates}


def rank(pictures: Iterable[Picture], classes: int, iou: float, size: Size = ALL) -> Ranking:
    """Judge the detections of pictures (``pycocotools.cocoeval.COCOeval.evaluate`` at one IoU and area range).

    Of a size count the labels of that size and the detections that found one of them or, having found none, are of
    that size themselves. What found a label of another size counts nowhere.

    Args:
        pictures:
            With detections down to the lowest confidence.
        classes:
            How many there are.
        iou:
            Least overlap of a match.
        size:
            What is looked at.
    """
    parts = [(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool))]
    labels = np.zeros(classes, np.int64)
    for picture in pictures:
        ignored = size.outside(picture.label_boxes)
        found = match(picture.overlap * picture.same_class, iou, ignored)
        right = found != NONE
        aside = np.where(right, np.append(ignored, False)[found], size.outside(picture.boxes))
        parts.append((picture.kinds[~aside], picture.confidences[~aside], right[~aside]))
        labels += np.bincount(picture.label_kinds[~ignored], minlength=classes)
    kinds, confidences, right = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(-confidences, kind="stable")
    return Ranking(kinds[order], confidences[order], right[order], labels)


def quality_of(ranking: Ranking, kind: int, confidence: float) -> Quality:
    """The figures of one class, at a working confidence."""
    confidences, right = ranking.of(kind)
    count, labels = int((confidences > np.float32(confidence)).sum()), int(ranking.labels[kind])
    return Quality(labels, count, int(right[:count].sum()), area_below(right, labels) if labels else None)


def area_below(right: Bools, labels: int) -> float:
    """Average precision of a list of detections, most confident first, of a class with labels."""
    return float(average_precision(right, labels, np.array([len(right)]), exact=True)[0])


def mean_of(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are there; None without any."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def best_confidence(ranking: Ranking) -> float:
    """The confidence with the best mean F1 over the classes that have labels, in steps of 0.001; the lowest such."""
    found = {}
    for kind in np.unique(ranking.kinds):
        confidences, right = ranking.of(int(kind))
        nowhere = np.zeros(len(right), np.int32)
        found[int(kind)] = OfClass(confidences.astype(np.float32), nowhere, right[:, None])
    values = WorkingPoint("f1", "f1", 0).at(found, ranking.labels, CONFIDENCES).value
    return float(CONFIDENCES[int(np.argmax(values))])


def curve(ranking: Ranking, kind: int, most: int = 400) -> tuple[Sequence[float], Sequence[float]]:
    """Recall and precision of one class along its ranking, for a plot: at most about so many points."""
    _, right = ranking.of(kind)
    hits = right.cumsum()
    recall, precision = hits / max(int(ranking.labels[kind]), 1), hits / np.arange(1, len(right) + 1)
    places = np.unique(np.linspace(0, max(len(right) - 1, 0), min(most, len(right))).astype(int))
    return recall[places].tolist(), precision[places].tolist()
