"""Chooses thresholds, and says what they gain: where they were not chosen, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from data_prep.errors import DataMissingError
from data_prep.progress import Progress, silent
from trainable.metrics import ClassMetrics, evaluate_matches
from trainable.nms import VAL, NmsSettings
from trainable.raw_file import RawFile
from trainable.thresholds.bootstrap import resampled_gains
from trainable.thresholds.grid import Grid
from trainable.thresholds.measures import AveragePrecision, Counts, Measure, by_class, parse_measure
from trainable.thresholds.sweep import Swept, sweep
from trainable.thresholds.table import Detections, Labels, detect, merge, of_images

LEVEL = 0.95
"""Confidence level of the interval."""


@dataclass(frozen=True, kw_only=True)
class Choosing:
    """How thresholds are chosen and their gain is measured.

    Attributes:
        measure:
            What is to be best.
        grid:
            What is tried.
        folds:
            Parts of the images: for each, thresholds are chosen on the others.
        resamples:
            Of the bootstrap.
        seed:
            Of the folds and of the bootstrap.
    """

    measure: Measure = field(default_factory=lambda: parse_measure("score75"))
    grid: Grid = field(default_factory=Grid)
    folds: int = 5
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Gain:
    """What thresholds gain over the defaults of ``yolov5 val``.

    Attributes:
        value:
            Cross-fitted: each image is judged with the thresholds that were chosen without it.
        low, high:
            Its interval: percentiles of the bootstrap over images, for the thresholds that were chosen.
        apparent:
            On the images that they were chosen on: too high, because they were chosen on them.
    """

    value: float
    low: float
    high: float
    apparent: float

    @property
    def shown(self) -> bool:
        """Whether the interval lies above zero."""
        return self.low > 0


@dataclass(frozen=True)
class Judged:
    """What settings are worth on all images.

    Attributes:
        settings:
            Those.
        value:
            Of the measure.
        held:
            What must reach the measure's ``least``; None where nothing must.
        metrics:
            YOLOv5's.
        score75:
            mAP at IoU 0.75 as ``map-boxes`` has it.
    """

    settings: NmsSettings
    value: float
    held: float | None
    metrics: ClassMetrics
    score75: float


@dataclass(frozen=True)
class ThresholdChoice:
    """Chosen thresholds.

    Attributes:
        choosing:
            How they were chosen.
        chosen, default:
            The best settings on all images, and those of ``yolov5 val``.
        reached:
            Whether the best ones reach what the measure asks for.
        gain:
            Of the chosen over the default ones.
        cross_fitted:
            Value of the measure and what must reach its ``least`` (None where nothing must), each image with the
            thresholds that were chosen without it.
        by_fold:
            What was chosen without each fold.
        swept:
            The whole grid; subset 0 is all images.
        images:
            How many images there were.
    """

    choosing: Choosing
    chosen: Judged
    default: Judged
    reached: bool
    gain: Gain
    cross_fitted: tuple[float, float | None]
    by_fold: tuple[NmsSettings, ...]
    swept: Swept
    images: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know before taking them."""
        found, measure = [], self.choosing.measure
        if not self.reached:
            found.append(f"no setting reaches what {measure.name} asks for; the one that comes closest was taken")
        if not self.gain.shown:
            found.append("the interval of the gain holds 0: no gain over the defaults is shown")
        if self.chosen.settings.iou in (self.choosing.grid.ious[0], self.choosing.grid.ious[-1]):
            found.append(f"the best IoU, {self.chosen.settings.iou:g}, is at the edge of what was tried")
        before, after = self.default.score75, self.chosen.score75
        if isinstance(measure, AveragePrecision) and not measure.exact and after < before:
            found.append(
                f"mAP75 without YOLOv5's straight line at the end of the curve falls from {before:.4f} to {after:.4f}: "
                "where that counts, as in map-boxes, choose by --metric score75"
            )
        return tuple(found)


def choose(raw: RawFile, names: Sequence[str], choosing: Choosing, progress: Progress = silent) -> ThresholdChoice:
    """Choose the thresholds that are best on the images of raw predictions.

    Args:
        raw:
            The raw predictions.
        names:
            Class names.
        choosing:
            How.
        progress:
            Told of the stages ``sweep`` and ``resample``.

    Raises:
        DataMissingError: There are fewer than two images, or no label.
    """
    labels = Labels.of(raw, len(names))
    if labels.images < 2 or not labels.counts.any():
        raise DataMissingError(
            f"{raw.path}: thresholds need at least two images and a label, and there are {labels.images} images with "
            f"{labels.counts.sum()} labels; give a split with more."
        )
    draw, everything = np.random.default_rng(choosing.seed), np.arange(labels.images)
    folds = np.array_split(draw.permutation(labels.images), min(choosing.folds, labels.images))
    subsets = [everything, *(np.setdiff1d(everything, fold) for fold in folds)]
    swept = sweep(raw, labels, choosing.grid, choosing.measure, subsets, progress)
    best = [swept.best(subset) for subset in range(len(subsets))]
    tables = _Tables(raw, choosing.grid)
    by_fold = tuple(swept.cells[cell] for cell in best[1:])
    fitted = merge(
        of_images(tables.cut(settings), fold, labels.images) for settings, fold in zip(by_fold, folds, strict=True)
    )
    gain, cross_fitted = _gain(choosing, swept, best[0], tables.cut(VAL), fitted, labels.counts, progress)
    return ThresholdChoice(
        choosing,
        _judge(swept, best[0], tables, labels, names),
        _judge(swept, swept.cells.index(VAL), tables, labels, names),
        swept.reached(0, best[0]),
        gain,
        cross_fitted,
        by_fold,
        swept,
        labels.images,
    )


class _Tables:
    """The detections of settings; NMS runs again for the few that are asked for."""

    def __init__(self, raw: RawFile, grid: Grid) -> None:
        most = max(grid.max_detections)
        self._detect = lru_cache(maxsize=2)(lambda iou, agnostic: detect(raw, iou, most, agnostic=agnostic))

    def cut(self, settings: NmsSettings) -> Detections:
        """The detections of settings, of all images."""
        return self._detect(settings.iou, settings.agnostic).cut(settings)


def _gain(
    choosing: Choosing,
    swept: Swept,
    best: int,
    before: Detections,
    after: Detections,
    labels: Counts,
    progress: Progress,
) -> tuple[Gain, tuple[float, float | None]]:
    measure, default = choosing.measure, swept.cells.index(VAL)
    one, other = by_class(before, measure.columns), by_class(after, measure.columns)
    fitted = measure.at(other, labels.sum(0), np.array([-1.0]))
    value, held = float(fitted.value[0]), None if measure.least is None else float(fitted.held[0])
    gains = resampled_gains(measure, one, other, labels, choosing.resamples, choosing.seed, progress)
    low, high = np.quantile(gains, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    values = swept.values[0]
    apparent = float(values[best] - values[default])
    return Gain(value - float(values[default]), float(low), float(high), apparent), (value, held)


def _judge(swept: Swept, cell: int, tables: _Tables, labels: Labels, names: Sequence[str]) -> Judged:
    settings = swept.cells[cell]
    found = tables.cut(settings)
    labelled = np.repeat(np.arange(labels.counts.shape[1]), labels.counts.sum(0)).astype(np.float64)
    metrics, _ = evaluate_matches(
        found.correct, found.confidence.astype(np.float64), found.kind.astype(np.float64), labelled, names
    )
    score = parse_measure("score75")
    exact = score.at(by_class(found, score.columns), labels.counts.sum(0), np.array([-1.0])).value[0]
    held = None if swept.least is None else float(swept.held[0, cell])
    return Judged(settings, float(swept.values[0, cell]), held, metrics, float(exact))
