"""The figures of an EDA, as the page shows them and ``--json`` prints them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from data_prep.eda.tables import BOXES_OF, Tables
from data_prep.labels import SIZE_NAMES, Stratification, bin_name

#: Boxes up to this area in square pixels are looked at in detail.
SMALL_AREA = 4000

#: Names of the ratio classes in the order in which they are shown.
RATIO_NAMES = ("horizontal", "square", "vertical")

_Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EdaSummary:
    """What an EDA counted; every mapping is in the order in which the page shows it.

    Attributes:
        title:
            Name of the data set.
        images:
            Number of pictures.
        boxes:
            Number of boxes.
        background:
            Number of pictures without boxes.
        boxes_of_class:
            Boxes per class name.
        images_of_class:
            Pictures with a box of the class, per class name.
        splits:
            Per split: ``images``, ``boxes``, ``background`` and ``boxes of NAME`` per class.
        image_sizes:
            Pictures per ``WIDTHxHEIGHT``, the most frequent first.
        boxes_per_image:
            ``mean``, ``median`` and ``max`` of the boxes in a picture.
        count_bins:
            Per class: pictures per bin of its box count.
        ratio_classes:
            Per class: boxes per ratio class.
        size_classes:
            Per class: boxes per size class.
        small_boxes:
            Per class: boxes with an area of at most :data:`SMALL_AREA`.
        findings:
            Per kind: findings per policy.
    """

    title: str
    images: int
    boxes: int
    background: int
    boxes_of_class: _Counts
    images_of_class: _Counts
    splits: Mapping[str, _Counts]
    image_sizes: _Counts
    boxes_per_image: Mapping[str, float]
    count_bins: Mapping[str, _Counts]
    ratio_classes: Mapping[str, _Counts]
    size_classes: Mapping[str, _Counts]
    small_boxes: _Counts
    findings: Mapping[str, _Counts]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that JSON knows."""
        return asdict(self)


def summarise(tables: Tables, title: str, split_names: Sequence[str], stratification: Stratification) -> EdaSummary:
    """Count what the tables hold.

    Args:
        tables:
            Pictures, boxes, findings.
        title:
            Name of the data set.
        split_names:
            Splits in the order in which they are shown.
        stratification:
            Thresholds of the box counts.
    """
    images, boxes, names = tables.images, tables.boxes, tables.names
    per_image = images["boxes"]
    per_class = {name: images[BOXES_OF + name] for name in names}
    return EdaSummary(
        title=title,
        images=len(images),
        boxes=len(boxes),
        background=int(images["background"].sum()),
        boxes_of_class={name: int(counts.sum()) for name, counts in per_class.items()},
        images_of_class={name: int((counts > 0).sum()) for name, counts in per_class.items()},
        splits={split: _split_counts(images, names, split) for split in split_names},
        image_sizes=_sizes(images),
        boxes_per_image={
            "mean": float(per_image.mean()) if len(images) else 0.0,
            "median": float(per_image.median()) if len(images) else 0.0,
            "max": int(per_image.max()) if len(images) else 0,
        },
        count_bins={name: _bins(counts, thresholds_of(name, stratification)) for name, counts in per_class.items()},
        ratio_classes=_cross(boxes, names, "ratio_class", RATIO_NAMES),
        size_classes=_cross(boxes, names, "size_class", SIZE_NAMES),
        small_boxes=_by_class(boxes[boxes["area"] <= SMALL_AREA], names),
        findings=_findings(tables.findings),
    )


def thresholds_of(name: str, stratification: Stratification) -> tuple[int, ...]:
    """Return the thresholds of a class's box count."""
    return stratification.count_bins.get(name, stratification.default_count_bins)


def _split_counts(images: pd.DataFrame, names: Sequence[str], split: str) -> _Counts:
    inside = np.array([split in places.split(",") for places in images["splits"]], dtype=np.bool_)
    members = images[inside]
    counts = {"images": len(members), "boxes": int(members["boxes"].sum())}
    counts["background"] = int(members["background"].sum())
    return counts | {BOXES_OF + name: int(members[BOXES_OF + name].sum()) for name in names}


def _sizes(images: pd.DataFrame) -> _Counts:
    counts = Counter(zip(images["width"].tolist(), images["height"].tolist(), strict=True))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {f"{width}x{height}": count for (width, height), count in ordered}


def _bins(counts: pd.Series, thresholds: tuple[int, ...]) -> _Counts:
    found = dict.fromkeys((bin_name(first, thresholds) for first in (1, *thresholds)), 0)
    values, images = np.unique(counts[counts > 0], return_counts=True)
    for value, number in zip(values, images, strict=True):
        found[bin_name(int(value), thresholds)] += int(number)
    return found


def _by_class(boxes: pd.DataFrame, names: Sequence[str]) -> _Counts:
    counts = np.bincount(boxes["class_id"], minlength=len(names))
    return {name: int(count) for name, count in zip(names, counts, strict=True)}


def _cross(boxes: pd.DataFrame, names: Sequence[str], column: str, labels: Sequence[str]) -> Mapping[str, _Counts]:
    columns = {label: _by_class(boxes[boxes[column] == label], names) for label in labels}
    return {name: {label: columns[label][name] for label in labels} for name in names}


def _findings(findings: pd.DataFrame) -> Mapping[str, _Counts]:
    counts: dict[str, dict[str, int]] = {}
    for (kind, policy), rows in findings.groupby(["kind", "policy"]):
        counts.setdefault(str(kind), {})[str(policy)] = len(rows)
    return counts
