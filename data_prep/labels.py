"""Which stratification labels a picture carries: the place for every kind of label that a split balances."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from data_prep.records import Box, ImageRecord
from data_prep.validation import FrozenModel

#: Label of a picture without boxes, whatever the kinds.
BACKGROUND = "background"

#: Names of the size classes, smallest first: one more than there are thresholds.
SIZE_NAMES = ("out", "very small", "small", "medium", "large", "very large")

#: Labels of one picture, as reports show them.
Labels = frozenset[str]


class LabelKind(StrEnum):
    """What a split can be balanced by; a picture may carry several labels of one kind."""

    CLASS = "class"
    """A class is present: ``class pig``."""

    COUNT = "count"
    """A class and how many boxes of it there are, in bins: ``count pig medium``."""

    RATIO = "ratio"
    """A box of a shape is present: ``ratio horizontal``, ``ratio vertical`` or ``ratio square``."""

    SIZE = "size"
    """A box of a size class is present: ``size very large``, see :data:`SIZE_NAMES`."""


def _ascending(thresholds: tuple[int, ...]) -> tuple[int, ...]:
    if list(thresholds) != sorted(set(thresholds)) or min(thresholds, default=1) < 1:
        raise ValueError("thresholds must be positive and ascend, as in [8, 13]")
    return thresholds


#: Thresholds of box counts: ``[8, 13]`` means little < 8 <= medium < 13 <= many.
CountBins = Annotated[tuple[int, ...], AfterValidator(_ascending)]

#: The five areas in square pixels between the six size classes.
SizeThresholds = Annotated[tuple[int, int, int, int, int], AfterValidator(_ascending)]


class Stratification(FrozenModel):
    """By which labels pictures are stratified."""

    kinds: tuple[LabelKind, ...] = Field(default=(LabelKind.CLASS, LabelKind.COUNT), min_length=1)
    """Kinds of labels."""

    count_bins: dict[str, CountBins] = Field(default_factory=dict)
    """Thresholds of the box count per class name: ``[8, 13]`` means little < 8 <= medium < 13 <= many."""

    default_count_bins: CountBins = (4, 8)
    """Thresholds for the classes that ``count_bins`` does not name."""

    ratio_threshold: float = Field(default=0.6, gt=0.5, lt=1)
    """A box is horizontal from this share of width in width + height on, vertical from this share of height on."""

    size_thresholds: SizeThresholds = (100, 1_000, 10_000, 50_000, 100_000)
    """Areas in square pixels between out, very small, small, medium, large and very large."""


def labels_of(record: ImageRecord, names: Sequence[str], stratification: Stratification) -> Labels:
    """Return the labels of one picture.

    Args:
        record:
            The picture, boxes in pixels.
        names:
            Class names; class ids index them.
        stratification:
            Kinds of labels and their thresholds.

    Example:
        A picture with ten pigs (thresholds 8 and 13) carries ``class pig`` and ``count pig medium``.
    """
    if not record.boxes:
        return frozenset({BACKGROUND})
    return frozenset(
        f"{kind} {label}" for kind in stratification.kinds for label in _LABELLERS[kind](record, names, stratification)
    )


def bin_name(count: int, thresholds: Sequence[int]) -> str:
    """Name the bin of a box count.

    Two thresholds make ``little``, ``medium`` and ``many``; any other number of them the counts themselves:
    ``1-3``, ``4-7``, ``8+``.
    """
    index = bisect_right(thresholds, count)
    if len(thresholds) == 2:
        return ("little", "medium", "many")[index]
    first = thresholds[index - 1] if index else 1
    if index == len(thresholds):
        return f"{first}+"
    last = thresholds[index] - 1
    return f"{first}-{last}" if first < last else str(first)


def ratio_name(box: Box, threshold: float) -> str:
    """Name the shape of a box: ``horizontal``, ``vertical`` or ``square``; one without any extent is square."""
    width, height = box.x2 - box.x1, box.y2 - box.y1
    extent = width + height
    if extent > 0 and width / extent >= threshold:
        return "horizontal"
    if extent > 0 and height / extent >= threshold:
        return "vertical"
    return "square"


def size_name(box: Box, thresholds: Sequence[int]) -> str:
    """Name the size class of a box by its area in square pixels: one of :data:`SIZE_NAMES`."""
    return SIZE_NAMES[bisect_right(thresholds, (box.x2 - box.x1) * (box.y2 - box.y1))]


def _classes(record: ImageRecord, names: Sequence[str], stratification: Stratification) -> Iterable[str]:
    del stratification
    return {names[box.class_id] for box in record.boxes}


def _counts(record: ImageRecord, names: Sequence[str], stratification: Stratification) -> Iterable[str]:
    bins, default = stratification.count_bins, stratification.default_count_bins
    counts = Counter(names[box.class_id] for box in record.boxes)
    return [f"{name} {bin_name(count, bins.get(name, default))}" for name, count in counts.items()]


def _ratios(record: ImageRecord, names: Sequence[str], stratification: Stratification) -> Iterable[str]:
    del names
    threshold = stratification.ratio_threshold
    return {ratio_name(box, threshold) for box in record.boxes}


def _sizes(record: ImageRecord, names: Sequence[str], stratification: Stratification) -> Iterable[str]:
    del names
    thresholds = stratification.size_thresholds
    return {size_name(box, thresholds) for box in record.boxes}


_Labeller = Callable[[ImageRecord, Sequence[str], Stratification], Iterable[str]]
_LABELLERS: Mapping[LabelKind, _Labeller] = {
    LabelKind.CLASS: _classes,
    LabelKind.COUNT: _counts,
    LabelKind.RATIO: _ratios,
    LabelKind.SIZE: _sizes,
}
