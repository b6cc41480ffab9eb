"""Judges every setting of a grid, on all images and on all but each fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from data_prep.progress import Progress, silent
from trainable.nms import NmsSettings
from trainable.raw_file import RawFile
from trainable.thresholds.grid import Grid, distance
from trainable.thresholds.measures import Array, Measure, by_class
from trainable.thresholds.table import Ints, Labels, detect, of_images


@dataclass(frozen=True, eq=False)
class Swept:
    """A grid and what it was found to be worth.

    Attributes:
        cells:
            The settings.
        values:
            Shape (subsets, cells).
        held:
            Shape (subsets, cells): what must reach ``least``.
        least:
            That of the measure; None where nothing is asked for.
    """

    cells: Sequence[NmsSettings]
    values: Array
    held: Array
    least: float | None

    def best(self, subset: int) -> int:
        """Number of the best cell on a subset; among equals the one that is closest to the defaults.

        Where none reaches what is asked for, the one that comes closest to that.
        """
        values = self.values[subset]
        if self.least is not None:
            reached = self.held[subset] >= self.least
            values = np.where(reached, values, -np.inf) if reached.any() else self.held[subset]
        return self._order[int(np.argmax(values[self._order]))]

    @cached_property
    def _order(self) -> list[int]:
        """Numbers of the cells, those closest to the defaults first."""
        return sorted(range(len(self.cells)), key=lambda cell: distance(self.cells[cell]))

    def reached(self, subset: int, cell: int) -> bool:
        """Whether a cell reaches what is asked for on a subset."""
        return self.least is None or bool(self.held[subset, cell] >= self.least)


def sweep(
    raw: RawFile, labels: Labels, grid: Grid, measure: Measure, subsets: Sequence[Ints], progress: Progress = silent
) -> Swept:
    """Judge every setting of a grid on subsets of the images.

    One table is in memory at a time: that of an IoU and a way to treat classes. From it come all its settings.

    Args:
        raw:
            The raw predictions.
        labels:
            Their labels.
        grid:
            What is tried.
        measure:
            What is measured.
        subsets:
            Numbers of images.
        progress:
            Told of each table, as stage ``sweep``.
    """
    tables = [(agnostic, iou) for agnostic in grid.agnostic for iou in grid.ious]
    thresholds = np.array(grid.confidences)
    values, held = [], []
    for done, (agnostic, iou) in enumerate(tables, 1):
        found = detect(raw, iou, max(grid.max_detections), agnostic=agnostic)
        for most in grid.max_detections:
            first = found.take(found.rank < most)
            judged = [
                measure.at(
                    by_class(of_images(first, subset, labels.images), measure.columns),
                    labels.counts[subset].sum(0),
                    thresholds,
                )
                for subset in subsets
            ]
            values.append(np.stack([each.value for each in judged]))
            held.append(np.stack([each.held for each in judged]))
        progress("sweep", done, len(tables))
    return Swept(grid.cells(), np.concatenate(values, axis=1), np.concatenate(held, axis=1), measure.least)
