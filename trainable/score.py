"""Mean average precision of a table of predictions against a table of answers, exactly as ``map-boxes`` has it.

``map-boxes`` 1.0.6 (https://github.com/ZFTurbo/Mean-Average-Precision-for-Boxes) takes the area under the envelope of
the precision-recall curve, as Pascal VOC does since 2010. What it leaves to chance or to the order of the table is the
same here: see docs/score.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_prep.errors import InputError
from trainable.score_matching import GroupedBoxes, right_predictions
from trainable.score_tables import CONFIDENCE, IMAGE, LABEL, check_units, has_class, read_answers, read_predictions


@dataclass(frozen=True)
class ClassScore:
    """Predictions of one class against its answers."""

    average_precision: float
    """0 to 1."""
    answers: int
    """Boxes of the class, at least one."""
    predictions: int
    """Those on images that the answers name; the others count nowhere."""
    right: int
    """Predictions that found an answer."""


@dataclass(frozen=True)
class Score:
    """Predictions against answers at one IoU."""

    iou: float
    """Least intersection over union of a right prediction."""
    per_class: Mapping[str, ClassScore]
    """Classes that have answers, sorted by name."""
    elsewhere: int
    """Predictions on images that the answers do not name, which count nowhere."""
    unknown: Mapping[str, int]
    """Predictions per class without answers, which count nowhere, on any image."""
    flat: tuple[int, int]
    """Answers and predictions without width or height, which nothing meets."""
    ordered: bool
    """Whether predictions of a class and image stand by falling confidence; else an answer is given to the first."""

    @property
    def mean_average_precision(self) -> float:
        """Mean over the classes that have answers."""
        return sum(found.average_precision for found in self.per_class.values()) / len(self.per_class)

    def as_dict(self) -> dict[str, Any]:
        """``map``, and ``per_class``: average precision by name."""
        return {
            "map": self.mean_average_precision,
            "per_class": {name: found.average_precision for name, found in self.per_class.items()},
        }


def score_files(answer: Path, prediction: Path, iou: float = 0.75, split: str | None = None) -> Score:
    """Score a CSV file of predictions against one of answers, both normalised or both in pixels, or against labels.

    Args:
        answer:
            ``ImageID,LabelName,XMin,XMax,YMin,YMax``; or a ``data.yaml``.
        prediction:
            ``ImageID,LabelName,Conf,XMin,XMax,YMin,YMax``.
        iou:
            Least intersection over union of a right prediction, 0 to 1.
        split:
            Of a ``data.yaml``; None takes ``test``, or ``val`` where there is none, as ``hypsweep predict`` does.

    Raises:
        DataMissingError: The split has no picture that can be used.
        InputError: A file cannot be read, lacks a column, or a cell is no finite number; there is no answer; one file
            is normalised and the other in pixels; ``iou`` is out of bounds.
    """
    answers, predictions = _answers(answer, split), read_predictions(prediction)
    if not has_class(answers).any():
        raise InputError(f"{answer} has no box; name a table with answers")
    check_units(answers, predictions, (answer, prediction))
    return score(answers, predictions, iou)


def _answers(path: Path, split: str | None) -> pd.DataFrame:
    if path.suffix.lower() in (".yaml", ".yml"):
        from trainable.score_answers import split_answers  # loads torch, which a CSV file does not need

        return split_answers(path, split)
    if split is not None:
        raise InputError(f"{path} is no data.yaml, so it has no split {split}; leave out --split.")
    return read_answers(path)


def score(answers: pd.DataFrame, predictions: pd.DataFrame, iou: float = 0.75) -> Score:
    """Score tables as :func:`trainable.score_tables.read_answers` and ``read_predictions`` return them.

    Raises:
        InputError: There is no answer, or ``iou`` is not within 0 to 1.
    """
    if not 0 <= iou <= 1:
        raise InputError(f"`iou` (={iou:g}) must lie within 0 to 1")
    boxes, found = answers[has_class(answers)], predictions[has_class(predictions)]
    if boxes.empty:
        raise InputError("there is no answer to score against; give a table with boxes")
    images = pd.Index(np.asarray(answers[IMAGE].unique()))  # those without a box, too
    classes = pd.Index(sorted(boxes[LABEL].unique()))
    seen, known = found[IMAGE].isin(images), found[LABEL].isin(classes)
    unknown = found.loc[~known, LABEL].astype(str).value_counts()
    per_class, ordered = _score_classes(found[seen & known], boxes, images, classes, iou)
    return Score(
        iou=iou,
        per_class=per_class,
        elsewhere=int((known & ~seen).sum()),
        unknown={str(name): int(count) for name, count in unknown.sort_index().items()},
        flat=(_flat(boxes), _flat(found)),
        ordered=ordered,
    )


def _score_classes(
    predictions: pd.DataFrame, answers: pd.DataFrame, images: pd.Index[str], classes: pd.Index[str], iou: float
) -> tuple[dict[str, ClassScore], bool]:
    """Every class, and whether predictions stand by falling confidence; all names are in ``images`` and ``classes``."""
    found, order = _grouped(predictions, images, classes)
    wanted, _ = _grouped(answers, images, classes)
    confidence = predictions[CONFIDENCE].to_numpy(np.float32)[order]
    right = right_predictions(found, wanted, iou)
    starts = np.arange(len(classes) + 1) * len(images)
    rows, counts = np.searchsorted(found.group, starts), np.diff(np.searchsorted(wanted.group, starts))
    per_class = {
        str(name): _score_class(confidence[start:stop], right[start:stop], int(count))
        for name, start, stop, count in zip(classes, rows[:-1], rows[1:], counts, strict=True)
    }
    return per_class, not ((np.diff(found.group) == 0) & (np.diff(confidence) > 0)).any()


def _grouped(
    table: pd.DataFrame, images: pd.Index[str], classes: pd.Index[str]
) -> tuple[GroupedBoxes, npt.NDArray[np.int64]]:
    """Boxes by class, then by image as the answers first name it, then as they stand in ``table``; and that order."""
    group = _places(table[LABEL], classes) * len(images) + _places(table[IMAGE], images)
    order = np.argsort(group, kind="stable")
    # float32 is what map-boxes rounds to before it computes with float64.
    corners = table[["XMin", "YMin", "XMax", "YMax"]].to_numpy(np.float32).astype(np.float64)
    return GroupedBoxes(group[order], corners[order]), order


def _places(column: pd.Series[str], index: pd.Index[str]) -> npt.NDArray[np.int64]:
    """Where each name stands in ``index``; looked up once per name."""
    names = column.astype("category").cat
    return np.asarray(index.get_indexer(names.categories), dtype=np.int64)[names.codes]


def _score_class(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], answers: int) -> ClassScore:
    # The call of map-boxes, because it is no stable sort: equal confidences get the order that numpy gives them.
    by_confidence = np.argsort(-confidence)
    return ClassScore(
        average_precision=_average_precision(right[by_confidence], answers),
        answers=answers,
        predictions=len(right),
        right=int(right.sum()),
    )


def _average_precision(right: npt.NDArray[np.bool_], answers: int) -> float:
    """Area under the envelope of the precision-recall curve up to the recall that was reached.

    Args:
        right:
            Shape (n,), most confident first.
        answers:
            How many right ones there could be.
    """
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return math.fsum(envelope[right]) / answers  # recall grows by 1 / answers at each right one


def _flat(table: pd.DataFrame) -> int:
    return int(((table["XMax"] <= table["XMin"]) | (table["YMax"] <= table["YMin"])).sum())
