"""What each kind of error costs: the AP that is gained where that kind alone is mended (TIDE, section 2.3)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from trainable.error_analysis.kinds import RIGHT, Kind, Verdicts
from trainable.error_analysis.pictures import Floats
from trainable.error_analysis.quality import area_below

_MOVED = (Kind.CLASSIFICATION, Kind.LOCALISATION)


def average_precisions(verdicts: Verdicts, classes: int, mended: Collection[Kind] = ()) -> Floats:
    """Average precision of each class after errors were mended.

    A detection of a wrong class or place becomes a right one of its label, if that label is free and no more confident
    mended one took it; else it goes, as the detections of the other kinds do. A missed label goes.

    Args:
        verdicts:
            What is wrong.
        classes:
            How many there are.
        mended:
            Which kinds are.

    Returns:
        Shape (classes,). NaN for a class that has no labels; 1 for one of which none is left: nothing is to be found.
    """
    right = verdicts.kinds == RIGHT
    predicted = verdicts.predicted.copy()
    movable = np.isin(verdicts.kinds, [kind for kind in mended if kind in _MOVED])
    movable &= ~np.isin(verdicts.labels, verdicts.labels[right])
    rows = np.flatnonzero(movable)
    moved = rows[np.unique(verdicts.labels[rows], return_index=True)[1]]  # the first is the most confident
    right[moved] = True
    predicted[moved] = verdicts.label_kinds[verdicts.labels[moved]]
    stays = right | ~np.isin(verdicts.kinds, list(mended))
    left = verdicts.label_kinds[~verdicts.missed] if Kind.MISSED in mended else verdicts.label_kinds
    counts = np.bincount(left, minlength=classes)
    found = np.full(classes, np.nan)
    for kind in np.unique(verdicts.label_kinds):
        own = right[stays & (predicted == kind)]
        found[kind] = area_below(own, int(counts[kind])) if counts[kind] else 1.0
    return found


def costs(verdicts: Verdicts, classes: int) -> dict[Kind, Floats]:
    """What each kind costs each class, shape (classes,): AP with it mended minus AP; NaN without labels."""
    before = average_precisions(verdicts, classes)
    return {kind: average_precisions(verdicts, classes, [kind]) - before for kind in Kind}
