"""All figures of an error analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_prep.errors import DataMissingError
from trainable.error_analysis.confusion import confusion_matrix
from trainable.error_analysis.costs import costs
from trainable.error_analysis.kinds import Kind, Verdicts, judge_all
from trainable.error_analysis.missing import Missing, MissingRules, least_confidences, missing_labels
from trainable.error_analysis.pictures import Floats, Ints, Picture, pictures_of
from trainable.error_analysis.quality import Quality, Ranking, best_confidence, mean_of, quality_of, rank
from trainable.error_analysis.sizes import ALL, SIZES
from trainable.error_analysis.working import WorkingPoint
from trainable.raw_file import RawFile


@dataclass(frozen=True, eq=False)
class Analysis:
    """What is wrong with the predictions on some pictures.

    Attributes:
        names:
            Class names; class ids index them.
        iou:
            Least overlap of a match.
        working:
            Settings of NMS and the working confidence.
        pictures:
            With all detections.
        working_pictures:
            With those above the working confidence.
        ranking:
            Of all detections, all sizes.
        quality:
            By size (``all`` and COCO's) and class id.
        confusion:
            Shape (classes + 1, classes + 1), at the working confidence.
        verdicts:
            Of all detections.
        working_verdicts:
            Of those above the working confidence.
        costs:
            By kind, shape (classes,): AP with that kind mended minus AP, over all detections; NaN without labels.
        least:
            Shape (classes,): least confidence of a missing label.
        missing:
            Labels that are likely to be missing, the most confident first.
        rules:
            What was taken for one.
    """

    names: Sequence[str]
    iou: float
    working: WorkingPoint
    pictures: Sequence[Picture]
    working_pictures: Sequence[Picture]
    ranking: Ranking
    quality: Mapping[str, Mapping[int, Quality]]
    confusion: Ints
    verdicts: Verdicts
    working_verdicts: Verdicts
    costs: Mapping[Kind, Floats]
    least: Floats
    missing: Sequence[Missing]
    rules: MissingRules

    @property
    def labelled(self) -> list[int]:
        """Ids of the classes that have labels, those with the most first."""
        return [kind for kind in self.shown if self.ranking.labels[kind]]

    @property
    def shown(self) -> list[int]:
        """Ids of the classes that have labels, those with the most first, then of those that are predicted alone."""
        counts = self.ranking.labels + self.confusion.sum(1)[:-1]
        present = [int(kind) for kind in np.flatnonzero(counts)]
        return sorted(present, key=lambda kind: (-int(self.ranking.labels[kind]), kind))

    def mean(self, figure: str, size: str = ALL.name) -> float | None:
        """Mean of a figure of :class:`Quality` over the classes that have labels of a size; None without any."""
        return mean_of(getattr(each, figure) for each in self.quality[size].values() if each.labels)

    def cost(self, kind: Kind) -> float:
        """What a kind of error costs: mean over the classes that have labels."""
        return float(np.nanmean(self.costs[kind]))


def analyse(
    raw: RawFile, names: Sequence[str], working: WorkingPoint, iou: float, rules: MissingRules | None = None
) -> Analysis:
    """Analyse raw predictions.

    Args:
        raw:
            The raw predictions.
        names:
            Class names.
        working:
            Settings of NMS; where it has no confidence, the one with the best mean F1 is taken.
        iou:
            Least overlap of a match, above 0.1.
        rules:
            What is taken for a missing label.

    Raises:
        DataMissingError: There is no label.
    """
    rules, classes = rules or MissingRules(), len(names)
    pictures = list(pictures_of(raw, working.nms))
    ranking = rank(pictures, classes, iou)
    if not ranking.labels.any():
        message = f"{raw.path}: none of the {len(raw)} pictures has a label; give a split that is labelled."
        raise DataMissingError(message)
    working = working.at(best_confidence(ranking))
    confidence = working.confidence or 0.0
    above = [picture.above(confidence) for picture in pictures]
    verdicts, least = judge_all(pictures, iou), least_confidences(pictures, classes, rules)
    rankings = {ALL.name: ranking} | {size.name: rank(pictures, classes, iou, size) for size in SIZES}
    quality = {
        name: {kind: quality_of(each, kind, confidence) for kind in range(classes)} for name, each in rankings.items()
    }
    return Analysis(
        names, iou, working, pictures, above, ranking, quality, confusion_matrix(above, classes, iou), verdicts,
        judge_all(above, iou), costs(verdicts, classes), least, missing_labels(raw, least, rules), rules,
    )  # fmt: skip


def as_dict(found: Analysis, about: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``errors.json``: every figure, without the lists of single errors.

    Args:
        found:
            The analysis.
        about:
            What it was made of: weights, data, digests.
    """
    shown = found.shown
    figures = ("precision", "recall", "f1", "average_precision")
    by_class = {
        size: {found.names[kind]: each.as_dict() for kind, each in rows.items() if kind in shown}
        for size, rows in found.quality.items()
    }
    return {
        "iou": found.iou,
        "working": found.working.as_dict(),
        "pictures": len(found.pictures),
        "labels": int(found.ranking.labels.sum()),
        "mean": {size: {figure: found.mean(figure, size) for figure in figures} for size in found.quality},
        "per_class": by_class,
        "confusion": {"classes": [*found.names, "background"], "predicted_by_true": found.confusion.tolist()},
        "errors": {kind.name.lower(): _error(found, kind) for kind in Kind},
        "missing_labels": {
            "count": len(found.missing),
            "rules": found.rules.as_dict(),
            "least_confidence": {found.names[kind]: _finite(found.least[kind]) for kind in found.labelled},
        },
        **about,
    }


def _error(found: Analysis, kind: Kind) -> dict[str, Any]:
    return {
        "count": found.working_verdicts.count(kind),
        "count_of_all_confidences": found.verdicts.count(kind),
        "cost": found.cost(kind),
        "cost_per_class": {found.names[each]: float(found.costs[kind][each]) for each in found.labelled},
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
