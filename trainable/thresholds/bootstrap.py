"""How sure a gain is: the bootstrap over images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from data_prep.progress import Progress, silent
from trainable.thresholds.measures import Array as Floats
from trainable.thresholds.measures import ByClass, Counts, Measure, OfClass


def resampled_gains(
    measure: Measure,
    before: ByClass,
    after: ByClass,
    labels: Counts,
    resamples: int,
    seed: int,
    progress: Progress = silent,
) -> Floats:
    """The gain of one set of detections over another one on images drawn with replacement.

    Both sets are judged on the same draws, so that what makes an image easy or hard for both cancels out
    (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapters 13 and 14: images are the units). An image
    that is drawn twice counts twice, with its labels.

    Args:
        measure:
            What is measured.
        before:
            Detections by class, with the columns of the measure.
        after:
            The others, likewise.
        labels:
            Shape (images, classes): how many labels there are.
        resamples:
            How many times.
        seed:
            Of the draws.
        progress:
            Told of each resample, as stage ``resample``.

    Returns:
        Shape (resamples,).
    """
    draw = np.random.default_rng(seed)
    images, gains = len(labels), np.empty(resamples)
    for index in range(resamples):
        times = np.bincount(draw.integers(images, size=images), minlength=images)
        counts = times @ labels
        values = [measure.at(_repeated(found, times), counts, _ALL).value[0] for found in (before, after)]
        gains[index] = values[1] - values[0]
        progress("resample", index + 1, resamples)
    return gains


_ALL = np.array([-1.0])
"""A threshold that all detections exceed: they are cut already."""


def _repeated(found: ByClass, times: Counts) -> Mapping[int, OfClass]:
    """Each detection as many times as its image was drawn; the order stays."""
    repeated = {}
    for kind, rows in found.items():
        chosen = np.repeat(np.arange(len(rows.image)), times[rows.image])
        repeated[kind] = OfClass(rows.confidence[chosen], rows.image[chosen], rows.correct[chosen])
    return repeated
