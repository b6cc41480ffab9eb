"""Which predictions are right at one IoU, as ``map-boxes`` decides it, for all images and classes at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

_PAIRS = 1 << 16  # compared at a time, which is what caches hold, however many boxes one image has

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GroupedBoxes:
    """Boxes of which only those of the same group can meet.

    Attributes:
        group:
            Shape (n,), ascending: one number per class and image.
        corners:
            Shape (n, 4): x1, y1, x2, y2, finite.
    """

    group: Ints
    corners: Floats

    @cached_property
    def areas(self) -> Floats:
        """Shape (n,)."""
        x1, y1, x2, y2 = self.corners.T
        areas: Floats = (x2 - x1) * (y2 - y1)
        return areas


def right_predictions(predictions: GroupedBoxes, answers: GroupedBoxes, iou: float) -> npt.NDArray[np.bool_]:
    """Match predictions to answers (``map_boxes.mean_average_precision_for_boxes``, 1.0.6).

    A prediction wants the answer of its group that it overlaps most, of several the first. It is right where that
    overlap reaches ``iou`` and no prediction before it was right about the same answer: the order is that of the
    table, whatever the confidences, and who comes too late gets no other answer.

    Returns:
        Shape (predictions,).
    """
    wanted, overlap = _wanted_answers(predictions, answers)
    reached = np.flatnonzero((wanted >= 0) & (overlap >= iou))
    correct = np.zeros(len(wanted), dtype=bool)
    correct[reached[np.unique(wanted[reached], return_index=True)[1]]] = True
    return correct


def _wanted_answers(predictions: GroupedBoxes, answers: GroupedBoxes) -> tuple[Ints, Floats]:
    """The answer that each prediction overlaps most, -1 where its group has none, and the IoU."""
    # Where nothing overlaps, the first one at an IoU of 0, which is what counts at `iou=0`.
    wanted = np.searchsorted(answers.group, predictions.group)
    has_answers = np.searchsorted(answers.group, predictions.group, side="right") > wanted
    wanted, overlap = np.where(has_answers, wanted, -1), np.zeros(len(wanted))
    for prediction, answer in _neighbours(predictions, answers):
        met, other, shared = _overlapping(predictions, answers, prediction, answer)
        if not len(met):
            continue
        starts = np.flatnonzero(np.diff(met, prepend=-1))
        most = np.maximum.reduceat(shared, starts)
        is_most = shared == np.repeat(most, np.diff(starts, append=len(met)))
        wanted[met[starts]] = np.minimum.reduceat(np.where(is_most, other, len(answers.group)), starts)
        overlap[met[starts]] = most
    return wanted, overlap


def _neighbours(predictions: GroupedBoxes, answers: GroupedBoxes) -> Iterator[tuple[Ints, Ints]]:
    """Pairs (prediction, answer) of the same group, by prediction; none that overlaps along x is left out."""
    left, right = answers.corners[:, 0], answers.corners[:, 2]
    order = np.lexsort((left, answers.group))
    by_left = _keys(answers.group[order], left[order])
    # The rightmost edge so far; it starts anew with each group, whose number weighs more.
    reach = np.maximum.accumulate(_keys(answers.group[order], right[order]))
    first = np.searchsorted(reach, _keys(predictions.group, predictions.corners[:, 0]), side="right")
    last = np.searchsorted(by_left, _keys(predictions.group, predictions.corners[:, 2]))
    count = np.maximum(last - first, 0)
    for some in _portions(count):
        prediction = np.repeat(np.arange(some.start, some.stop), count[some])
        within = np.arange(len(prediction)) - np.repeat(np.cumsum(count[some]) - count[some], count[some])
        yield prediction, order[np.repeat(first[some], count[some]) + within]


def _keys(group: Ints, edge: Floats) -> npt.NDArray[np.complex128]:
    """Numbers that sort by group first and by edge second, as numpy sorts complex ones."""
    keys = np.empty(len(group), dtype=np.complex128)
    keys.real, keys.imag = group, edge
    return keys


def _portions(count: Ints) -> Iterator[slice]:
    """Consecutive predictions that have about so many pairs together, at least one prediction each."""
    ends, start = np.cumsum(count), 0
    while start < len(count):
        before = ends[start - 1] if start else 0
        stop = max(int(np.searchsorted(ends, before + _PAIRS, side="right")), start + 1)
        yield slice(start, stop)
        start = stop


def _overlapping(predictions: GroupedBoxes, answers: GroupedBoxes, one: Ints, other: Ints) -> tuple[Ints, Ints, Floats]:
    """The pairs that do overlap, with their IoU to the last bit as ``map-boxes`` has it."""
    ours, theirs = predictions.corners, answers.corners
    width = np.minimum(ours[one, 2], theirs[other, 2]) - np.maximum(ours[one, 0], theirs[other, 0])
    height = np.minimum(ours[one, 3], theirs[other, 3]) - np.maximum(ours[one, 1], theirs[other, 1])
    meet = (width > 0) & (height > 0)
    one, other, shared = one[meet], other[meet], (width * height)[meet]
    return one, other, shared / (predictions.areas[one] + answers.areas[other] - shared)
