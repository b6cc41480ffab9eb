"""The finished weights on pictures that they never saw: predictions, and their score with and without thresholds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data_prep.progress import Progress
from search.flow.config import ScoreStep
from search.flow.step import Made
from search.paths import write_text
from trainable.nms import VAL, NmsSettings
from trainable.predict import PredictOptions, predict
from trainable.score import score_files
from trainable.thresholds import read_thresholds

SCORE = "score"
PREDICTIONS, AT_DEFAULTS, SCORE_JSON = "predictions.csv", "predictions_at_defaults.csv", "score.json"


def score_test(promoted: Path, data: Path, out: Path, asked: ScoreStep, progress: Progress) -> Made:
    """Predict a split with finished weights and score that.

    Args:
        promoted:
            Folder with ``weights.pt`` and, where some were chosen, ``thresholds.yaml``.
        data:
            The ``data.yaml``.
        out:
            Folder for the predictions in the submission form and ``score.json``.
        asked:
            Split and IoU.
        progress:
            Told of each picture.

    Returns:
        ``map`` and ``per_class`` at the thresholds, or at ``yolov5 val``'s defaults where none were chosen; beside
        chosen ones ``defaults``, the same at val's.
    """
    out.mkdir(parents=True, exist_ok=True)
    known = promoted / "thresholds.yaml"
    defaults = _scored(promoted, data, out / AT_DEFAULTS, VAL, asked, progress)
    if known.is_file():
        chosen = read_thresholds(known).settings
        found = {**_scored(promoted, data, out / PREDICTIONS, chosen, asked, progress), "defaults": defaults}
    else:
        (out / AT_DEFAULTS).replace(out / PREDICTIONS)
        found = {**defaults, "defaults": None}
    result = {"split": asked.split, "iou": asked.iou, **found}
    write_text(out / SCORE_JSON, json.dumps(result, indent=1) + "\n")
    return Made((out / PREDICTIONS, out / SCORE_JSON), result)


def _scored(
    promoted: Path, data: Path, file: Path, settings: NmsSettings, asked: ScoreStep, progress: Progress
) -> dict[str, Any]:
    options = PredictOptions(settings=settings, split=asked.split, data=data)
    predict(promoted / "weights.pt", data, file, options, progress)
    found = score_files(data, file, asked.iou, asked.split)
    return {**found.as_dict(), "settings": settings.as_dict()}
