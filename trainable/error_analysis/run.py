"""``hypsweep errors``: from weights and a data set to a page that says what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError
from data_prep.progress import Progress, silent
from trainable.detector import IMAGE_SIZE, load_detector, trained_image_size
from trainable.error_analysis.analysis import Analysis, analyse
from trainable.error_analysis.kinds import BACKGROUND_IOU
from trainable.error_analysis.missing import MissingRules
from trainable.error_analysis.working import find_thresholds, working_point
from trainable.error_analysis.write import write
from trainable.raw_predictions import RawRun, raw_predictions
from trainable.thresholds.run import RAW
from trainable.thresholds.seen import refuse_seen


@dataclass(frozen=True, kw_only=True)
class ErrorOptions:
    """How errors are analysed.

    Attributes:
        split:
            Key of the data.yaml.
        iou:
            Least overlap of a match.
        confidence:
            Working confidence; None takes that of the thresholds, else the one with the best mean F1.
        thresholds:
            A ``thresholds.yaml``; None takes the one of these weights that lies beside them, if there is one.
        rules:
            What is taken for a missing label.
        image_size:
            In pixels; None takes that of the thresholds, else that of the training, else 640.
        model:
            Name of the model; None finds it out.
        device:
            ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """

    split: str = "val"
    iou: float = 0.5
    confidence: float | None = None
    thresholds: Path | None = None
    rules: MissingRules = field(default_factory=MissingRules)
    image_size: int | None = None
    model: str | None = None
    device: str = "auto"


def analyse_errors(
    weights: str | Path,
    data: str | Path,
    out: str | Path,
    options: ErrorOptions | None = None,
    progress: Progress = silent,
) -> tuple[Analysis, dict[str, Any]]:
    """Analyse the errors of weights on a split that they were not trained on.

    Into ``out`` go ``errors.html``, ``errors.json``, ``errors.csv``, ``missing_labels.csv`` and
    ``raw_predictions.parquet``, unless ``hypsweep thresholds`` left that in its own folder beside the weights; with it
    another IoU or confidence takes no network.

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
            Told of the stages ``predict`` and ``draw``.

    Returns:
        The analysis, and the content of ``errors.json``.

    Raises:
        DataMissingError: The split has no usable images, or no label.
        InputError: Weights, data, thresholds or an option are wrong, or the weights were trained on the split.
        WorkFailedError: A file cannot be written.
    """
    options, weights, folder = options or ErrorOptions(), Path(weights), Path(out)
    if not BACKGROUND_IOU < options.iou <= 1:
        raise InputError(f"--iou is {options.iou:g}: give a number above {BACKGROUND_IOU:g} and at most 1.")
    described = read_data_yaml(Path(data))
    split = "val" if options.split == "valid" else options.split  # the folder is called `valid`, the key `val`
    refuse_seen(weights, described, split)
    detector = load_detector(weights, device=options.device, definition=options.model, names=described.names)
    known = find_thresholds(weights, options.thresholds)
    working = working_point(known, options.confidence)
    size = options.image_size or (known and known[0].image_size) or trained_image_size(weights) or IMAGE_SIZE
    run = RawRun(detector=detector, data=described, split=split, image_size=size)
    raw = raw_predictions(run, folder / RAW, progress, [weights.parent / "thresholds" / RAW])
    found = analyse(raw, described.names, working, options.iou, options.rules)
    kept = ("image_size", "model", "split", "weights_sha256", "labels_sha256")
    about = {name: raw.about[name] for name in kept} | {"weights": weights.name, "data": str(described.file)}
    title = f"{weights.name} on {split} of {described.path.name}"
    return found, write(found, about, described.path, folder, title, progress)
