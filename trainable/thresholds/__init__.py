"""Thresholds: which NMS IoU, confidence and number of detections make the most of finished weights.

They are tried on raw predictions (:mod:`trainable.raw_predictions`), so the network runs once. NMS and matching run
once for each IoU and each way to treat classes; confidence and the number of detections are cuts of what comes out,
which is exact: NMS commutes with them (:func:`trainable.nms.keep`), and so does matching, because which label a
detection takes depends on more confident detections alone (:func:`trainable.matching.match_detections`).

The modules, in the order in which they are used: ``seen`` (may these weights be judged on that split?), ``grid``,
``table`` (NMS and matching), ``measures`` (what is best), ``choose`` (sweep and cross-fitted gain), ``bootstrap``,
``report`` (files), ``run`` (all of it).
"""

from trainable.thresholds.choose import ThresholdChoice
from trainable.thresholds.grid import Grid
from trainable.thresholds.measures import parse_measure
from trainable.thresholds.report import KnownThresholds, read_thresholds, thresholds_beside
from trainable.thresholds.run import ThresholdOptions, tune_thresholds

__all__ = [
    "Grid",
    "KnownThresholds",
    "ThresholdChoice",
    "ThresholdOptions",
    "parse_measure",
    "read_thresholds",
    "thresholds_beside",
    "tune_thresholds",
]
