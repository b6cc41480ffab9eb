"""Which detection finds which label: COCO's way, in which a detection whose best label is taken may find another."""

from __future__ import annotations

import numpy as np

from trainable.error_analysis.pictures import Bools, Floats, Ints

NONE = -1


def match(overlap: Floats, least: float, ignored: Bools | None = None) -> Ints:
    """Match detections to labels, the most confident detection first (``pycocotools.cocoeval.evaluateImg``).

    A detection takes the label that it overlaps most of those that are free and that it overlaps by ``least``; one
    that is ignored only where no other is to be had; of equal ones the last. TIDE matches the same way.

    Args:
        overlap:
            Shape (n, m): IoU, 0 where classes differ; detections by falling confidence.
        least:
            IoU of a match, above 0.
        ignored:
            Shape (m,): labels that count neither as found nor as missed; None ignores none.

    Returns:
        Shape (n,): number of the label that each detection found, or :data:`NONE`.
    """
    found = np.full(len(overlap), NONE)
    able = overlap >= min(least, 1 - 1e-10)  # COCO's guard: an IoU of 1 may come out a little less
    # Added to the IoU, it sorts the ignored ones last; IoU is at most 1.
    rank = overlap if ignored is None else overlap + 2.0 * ~ignored
    free = np.ones(overlap.shape[1], bool)
    for row in np.flatnonzero(able.any(1)):
        rivals = np.flatnonzero(able[row] & free)
        if len(rivals):
            best = rivals[len(rivals) - 1 - int(np.argmax(rank[row, rivals][::-1]))]
            found[row], free[best] = best, False
    return found
