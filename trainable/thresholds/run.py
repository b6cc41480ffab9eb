"""``hypsweep thresholds``: from weights and a data set to ``thresholds.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError
from data_prep.progress import Progress, silent
from trainable.detector import IMAGE_SIZE, load_detector, trained_image_size
from trainable.raw_predictions import RawRun, raw_predictions
from trainable.thresholds.choose import Choosing, ThresholdChoice, choose
from trainable.thresholds.grid import WORKING, Grid
from trainable.thresholds.measures import parse_measure
from trainable.thresholds.report import write_report
from trainable.thresholds.seen import refuse_seen

RAW = "raw_predictions.parquet"
METRIC = "score75"
"""mAP at IoU 0.75 without the straight line with which YOLOv5's curve ends: that one pays for cutting boxes off."""


@dataclass(frozen=True, kw_only=True)
class ThresholdOptions:
    """How thresholds are found.

    Attributes:
        split:
            Key of the data.yaml.
        metric:
            See :func:`trainable.thresholds.parse_measure`.
        match_iou:
            IoU of a match for ``f1`` and the metrics with ``@``.
        grid:
            What is tried; None takes the usual grid of the metric.
        folds:
            Of the cross-fitting.
        resamples:
            Of the bootstrap.
        seed:
            Of folds and bootstrap.
        image_size:
            In pixels; None takes that of the training (``train.yaml`` beside the weights), else 640.
        model:
            Name of the model; None finds it out.
        device:
            ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """

    split: str = "val"
    metric: str = METRIC
    match_iou: float = 0.5
    grid: Grid | None = None
    folds: int = 5
    resamples: int = 1000
    seed: int = 0
    image_size: int | None = None
    model: str | None = None
    device: str = "auto"


def tune_thresholds(
    weights: str | Path,
    data: str | Path,
    out: str | Path,
    options: ThresholdOptions | None = None,
    progress: Progress = silent,
) -> tuple[ThresholdChoice, dict[str, Any]]:
    """Choose thresholds for weights on a split that they were not trained on.

    Into ``out`` go ``thresholds.yaml``, ``grid.csv``, ``heat_map.png`` and ``raw_predictions.parquet``; with the last
    one another metric or grid takes no network.

    Args:
        weights:
            Of YOLOv5 or hypsweep.
        data:
            The data.yaml.
        out:
            Folder to write into.
        options:
            How.
        progress:
            Told of the stages ``predict``, ``sweep`` and ``resample``.

    Returns:
        The choice, and the content of ``thresholds.yaml``.

    Raises:
        DataMissingError: The split has no usable images, or too few.
        InputError: Weights, data, metric or grid are wrong, or the weights were trained on the split.
        WorkFailedError: A file cannot be written.
    """
    options, weights, folder = options or ThresholdOptions(), Path(weights), Path(out)
    measure = parse_measure(options.metric, options.match_iou)
    if options.folds < 2 or options.resamples < 1:
        raise InputError(f"there are {options.folds} folds and {options.resamples} resamples; give at least 2 and 1.")
    grid = options.grid or (Grid() if measure.ranking else Grid(confidences=WORKING))
    described = read_data_yaml(Path(data))
    split = "val" if options.split == "valid" else options.split  # the folder is called `valid`, the key `val`
    refuse_seen(weights, described, split)
    detector = load_detector(weights, device=options.device, definition=options.model, names=described.names)
    size = options.image_size or trained_image_size(weights) or IMAGE_SIZE
    raw = raw_predictions(
        RawRun(detector=detector, data=described, split=split, image_size=size), folder / RAW, progress
    )
    choosing = Choosing(measure=measure, grid=grid, folds=options.folds, resamples=options.resamples, seed=options.seed)
    choice = choose(raw, described.names, choosing, progress)
    kept = ("image_size", "model", "split", "weights_sha256", "labels_sha256")
    about = {name: raw.about[name] for name in kept}
    about |= {"match_iou": options.match_iou, "weights": weights.name, "data": str(described.file)}
    return choice, write_report(choice, about, folder)
