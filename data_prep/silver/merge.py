"""Predicted boxes beside gold labels: what is written, and what a gold box stands for already; pure.

Gold labels are those that the data set came with. They are never removed or changed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from data_prep.silver.rule import SilverRule

DIGITS = 6
"""Digits of a coordinate in a label file, as :func:`data_prep.export.yolo_row` writes them."""

Rows = npt.NDArray[np.float32]
"""Labels of one picture, shape (boxes, 5): class, centre x, centre y, width, height, normalised to [0, 1]."""
Floats = npt.NDArray[np.float64]


class Merged(NamedTuple):
    """What predictions add to the labels of one picture.

    Attributes:
        added:
            Boxes to add to the gold ones, as they stand in a label file.
        predicted:
            Boxes that the rule was asked about: distinct, and with an area inside the picture.
        dropped:
            Those among them that a gold box of their class stands for.
        taken:
            Whether there were enough of them; without, nothing is added.
    """

    added: Rows
    predicted: int
    dropped: int
    taken: bool


def merge(corners: npt.NDArray[np.floating[Any]], classes: npt.NDArray[Any], gold: Rows, rule: SilverRule) -> Merged:
    """Merge what NMS and the confidence left of the predictions of one picture with its gold labels.

    Args:
        corners:
            Shape (boxes, 4): x1, y1, x2, y2, normalised; may reach out of the picture.
        classes:
            Shape (boxes,): class ids.
        gold:
            The gold labels; no rows where the picture is new or background.
        rule:
            Whose ``min_boxes`` and ``merge_iou`` count here.
    """
    rows = label_rows(corners, classes)
    predicted = len(rows)
    if predicted < rule.min_boxes:
        return Merged(rows[:0].astype(np.float32), predicted, 0, taken=False)
    overlap = pair_iou(corners_of(rows[:, 1:]), corners_of(gold[:, 1:].astype(np.float64)))
    same = rows[:, :1] == gold[:, 0][None]
    known = ((overlap >= rule.merge_iou) & same).any(1)
    return Merged(rows[~known].astype(np.float32), predicted, int(known.sum()), taken=True)


def label_rows(corners: npt.NDArray[np.floating[Any]], classes: npt.NDArray[Any]) -> Floats:
    """Boxes as rows of a label file: cut at the picture's edge, rounded as they are written, each once, in order.

    A box of which no width or height is left is none.

    Returns:
        Shape (rows, 5): class, centre x, centre y, width, height.
    """
    inside = np.clip(corners.astype(np.float64).reshape(-1, 4), 0, 1)
    low, high = inside[:, :2], inside[:, 2:]
    rows = np.concatenate((classes.astype(np.float64).reshape(-1, 1), (low + high) / 2, high - low), 1).round(DIGITS)
    rows = rows[(rows[:, 3:] > 0).all(1)]
    return rows[np.sort(np.unique(rows, axis=0, return_index=True)[1])]


def label_lines(rows: Rows | Floats) -> str:
    """Rows as lines of a label file; :func:`parse_rows` gives the same numbers back."""
    return "".join(f"{int(row[0])} {' '.join(f'{value:.{DIGITS}f}' for value in row[1:])}\n" for row in rows.tolist())


def pair_iou(one: Floats, other: Floats) -> Floats:
    """Overlap (IoU) of boxes, each with each.

    Args:
        one:
            Shape (n, 4): x1, y1, x2, y2.
        other:
            Shape (m, 4).

    Returns:
        Shape (n, m); 0 where neither has an area.
    """
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    whole = _area(one)[:, None] + _area(other)[None] - shared
    overlap: Floats = shared / np.where(whole > 0, whole, 1)
    return overlap


class PolygonError(ValueError):
    """A label file holds polygons."""


def parse_rows(text: str) -> Rows:
    """Parse a label file of boxes, as trainings read it, but with rows that stand twice.

    Args:
        text:
            Its content.

    Raises:
        PolygonError: It holds polygons.
        ValueError: It is no label file of boxes; says why in a few words.
    """
    split = [line.split() for line in text.splitlines() if line.strip()]
    if any(len(row) > 6 for row in split):
        raise PolygonError("its label holds polygons")
    if any(len(row) != 5 for row in split):
        raise ValueError("a row of its label does not have 5 numbers")
    rows = np.array(split, dtype=np.float32).reshape(-1, 5)
    if not (np.isfinite(rows).all() and (rows >= 0).all() and (rows[:, 1:] <= 1).all()):
        raise ValueError("its label holds a number outside of 0 to 1")
    return rows


def corners_of(boxes: Floats) -> Floats:
    """Boxes of shape (n, 4), centre x, centre y, width, height, as x1, y1, x2, y2."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.concatenate((centre - half, centre + half), 1)


def _area(corners: Floats) -> Floats:
    area: Floats = np.clip(corners[:, 2:] - corners[:, :2], 0, None).prod(1)
    return area
