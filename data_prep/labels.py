"""Which stratification labels a picture carries: the place for every kind of label that a split balances."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from data_prep.records import ImageRecord

#: Label of a picture without boxes.
BACKGROUND = "background"

#: Thresholds of the box count per class id: ``(8, 13)`` means little < 8 <= medium < 13 <= many.
BinsByClass = Mapping[int, tuple[int, ...]]


def count_labels(record: ImageRecord, bins: BinsByClass) -> frozenset[str]:
    """Return one label per class that is present: class and bin of its box count.

    Example:
        A picture with ten pigs (class 0, thresholds 8 and 13) and one cow (class 1, 4 and 6) carries
        ``{"0/1", "1/0"}``: medium pigs, little cows.
    """
    counts = Counter(box.class_id for box in record.boxes)
    found = {f"{class_id}/{bisect_right(bins[class_id], count)}" for class_id, count in counts.items()}
    return frozenset(found or {BACKGROUND})


def indicator_matrix(labels: Sequence[frozenset[str]]) -> npt.NDArray[np.bool_]:
    """Turn the labels of n pictures into a matrix of shape ``(n, number of labels + 1)``.

    The columns are sorted by label, so the matrix does not depend on the order of pictures. The last column
    is empty: scikit-learn takes a matrix of one column for a plain vector.
    """
    columns = {label: index for index, label in enumerate(sorted(set().union(*labels)))}
    matrix = np.zeros((len(labels), len(columns) + 1), dtype=np.bool_)
    for row, present in enumerate(labels):
        matrix[row, [columns[label] for label in present]] = True
    return matrix
