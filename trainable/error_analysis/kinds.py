"""Kinds of errors: Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020.

Section 2.2 of the paper, in the order in which the authors' ``tidecv`` 1.0.1 tries the kinds. Where the paper counts an
overlap of exactly t_f or t_b to two kinds, here it belongs to the upper one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trainable.error_analysis.matching import NONE, match
from trainable.error_analysis.pictures import Bools, Floats, Ints, Picture

BACKGROUND_IOU = 0.1
"""t_b: what overlaps every label by less lies on background."""


class Kind(IntEnum):
    """What is wrong with a detection, or ``MISSED``: with a label."""

    CLASSIFICATION = 0
    LOCALISATION = 1
    BOTH = 2
    DUPLICATE = 3
    BACKGROUND = 4
    MISSED = 5


RIGHT = -1
"""Stands in place of a kind where nothing is wrong."""


class Verdict(NamedTuple):
    """What is wrong in one picture.

    Attributes:
        kinds:
            Shape (n,): the :class:`Kind` of each detection, or :data:`RIGHT`.
        labels:
            Shape (n,): the label that it found, or that it would find were its class (its box) right; else -1.
        missed:
            Shape (m,): labels that no detection found and that no error of class or place would find.
    """

    kinds: Ints
    labels: Ints
    missed: Bools


def judge(picture: Picture, iou: float) -> Verdict:
    """Say of each detection and label of a picture what is wrong with it.

    Args:
        picture:
            The picture.
        iou:
            t_f: least overlap of a match, above :data:`BACKGROUND_IOU`.
    """
    same = picture.same_class
    found = match(picture.overlap * same, iou)
    if not picture.overlap.shape[1]:
        return Verdict(np.full(len(found), int(Kind.BACKGROUND)), found, np.zeros(0, bool))
    own, own_label = _most(np.where(same, picture.overlap, 0))
    other, other_label = _most(np.where(same, 0, picture.overlap))
    tests: list[tuple[Bools, int, Ints | int]] = [
        (found != NONE, RIGHT, found),
        ((own >= BACKGROUND_IOU) & (own < iou), Kind.LOCALISATION, own_label),
        (other >= iou, Kind.CLASSIFICATION, other_label),
        (own >= iou, Kind.DUPLICATE, NONE),
        (other >= BACKGROUND_IOU, Kind.BOTH, NONE),
    ]
    conditions, wrong, targets = zip(*tests, strict=True)
    kinds = np.select(conditions, [int(kind) for kind in wrong], int(Kind.BACKGROUND))
    labels = np.select(conditions, targets, NONE)
    missed = np.ones(picture.overlap.shape[1], bool)
    missed[labels[labels != NONE]] = False
    return Verdict(kinds, labels, missed)


def _most(overlap: Floats) -> tuple[Floats, Ints]:
    return overlap.max(1), overlap.argmax(1)


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What is wrong in all pictures; detections most confident first, labels by picture.

    Attributes:
        picture, row:
            Shape (n,): number of the picture, and of the detection in it.
        kinds:
            Shape (n,): see :class:`Verdict`.
        labels:
            Shape (n,): number of the label among all labels, or -1.
        predicted:
            Shape (n,): class of the detection.
        confidences:
            Shape (n,).
        label_picture, label_row:
            Shape (m,): number of the picture, and of the label in it.
        label_kinds:
            Shape (m,): class of the label.
        missed:
            Shape (m,): see :class:`Verdict`.
    """

    picture: Ints
    row: Ints
    kinds: Ints
    labels: Ints
    predicted: Ints
    confidences: Floats
    label_picture: Ints
    label_row: Ints
    label_kinds: Ints
    missed: Bools

    def count(self, kind: Kind) -> int:
        """How many errors of a kind there are."""
        return int(self.missed.sum()) if kind is Kind.MISSED else int((self.kinds == kind).sum())


def judge_all(pictures: Sequence[Picture], iou: float) -> Verdicts:
    """Judge all pictures; see :func:`judge`."""
    columns: list[list[npt.NDArray[Any]]] = [[np.zeros(0, np.int64)] for _ in fields(Verdicts)]
    first = 0
    for number, picture in enumerate(pictures):
        verdict = judge(picture, iou)
        detections, labels = picture.overlap.shape
        numbered = np.where(verdict.labels == NONE, NONE, verdict.labels + first)
        parts = (
            np.full(detections, number), np.arange(detections), verdict.kinds, numbered, picture.kinds,
            picture.confidences, np.full(labels, number), np.arange(labels), picture.label_kinds, verdict.missed,
        )  # fmt: skip
        for column, part in zip(columns, parts, strict=True):
            column.append(part)
        first += labels
    whole = [np.concatenate(column) for column in columns]
    order = np.argsort(-whole[5], kind="stable")
    whole[:6], whole[9] = [column[order] for column in whole[:6]], whole[9].astype(bool)
    return Verdicts(*whole)
