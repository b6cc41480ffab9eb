"""What follows the final training: ONNX, thresholds, the figures and the model card."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from data_prep.dataset import read_data_yaml
from data_prep.durable import write_error
from data_prep.errors import WorkFailedError
from data_prep.manifest import read_manifest
from search.config import SweepConfig
from search.confirm.result import Confirmation
from search.paths import write_text
from search.promotion.card import model_card
from search.promotion.facts import CardFacts
from search.promotion.publish import CARD, METRICS, ONNX, WEIGHTS
from search.promotion.thresholds import write_thresholds
from search.results import BestTrial, count_states
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

if TYPE_CHECKING:
    from trainable.export import OnnxExport


@dataclass(frozen=True, kw_only=True)
class Finish:
    """What is to be finished.

    Attributes:
        run_dir:
            The sweep's folder.
        config, study:
            The sweep.
        best:
            The promoted trial.
        settings, hyp:
            Of the final training.
        confirmed:
            What the promotion rests on; None: it was taken as it is.
        onnx:
            Whether ``weights.onnx`` is wanted.
        threshold_metric:
            By what thresholds are chosen.
        say:
            Told what begins.
    """

    run_dir: Path
    config: SweepConfig
    study: optuna.Study
    best: BestTrial
    settings: TrainSettings
    hyp: Hyp
    confirmed: Confirmation | None
    onnx: bool
    threshold_metric: str
    say: Callable[[str], None]


def finish(work: Finish, folder: Path, metrics: dict[str, Any]) -> dict[str, Any]:
    """Put everything else beside the weights in a folder, the model card last.

    Returns:
        The content of ``metrics.json``: ``metrics`` with ``confirmation``, ``onnx`` and ``thresholds``.

    Raises:
        DiskFullError, WorkFailedError: The ONNX file is off PyTorch, or something cannot be written.
    """
    try:
        return _finish(work, folder, metrics)
    except OSError as error:
        raise write_error(f"{work.run_dir}: what was promoted cannot be written", error) from error


def _finish(work: Finish, folder: Path, metrics: dict[str, Any]) -> dict[str, Any]:
    onnx = _onnx(work, folder) if work.onnx else None
    thresholds = write_thresholds(work.confirmed, work.threshold_metric, folder, work.say)
    metrics = {
        **metrics,
        "confirmation": work.confirmed.as_dict() if work.confirmed else None,
        "onnx": None if onnx is None else {**onnx.as_dict(), "path": ONNX},
        "thresholds": thresholds.content,
        "thresholds_missing": thresholds.reason or None,
    }
    write_text(folder / METRICS, json.dumps(metrics, indent=2) + "\n")
    data = read_data_yaml(Path(work.settings.data))
    facts = CardFacts(
        run_dir=work.run_dir,
        config=work.config,
        states=count_states(work.study),
        searched=work.best.trial.params,
        settings=work.settings,
        hyp=work.hyp,
        metrics=metrics,
        confirmed=work.confirmed,
        data=data,
        manifest=read_manifest(data.file.parent),
        thresholds=thresholds,
        onnx=onnx,
    )
    write_text(folder / CARD, model_card(facts))
    return metrics


def _onnx(work: Finish, folder: Path) -> OnnxExport:
    from trainable.export import OnnxOptions, export_onnx  # loads torch

    work.say(f"exporting {ONNX}, and running it beside PyTorch")
    size = work.settings.image_size
    options = OnnxOptions(image_size=(size, size), model=work.settings.model, pictures=Path(work.settings.data))
    try:
        return export_onnx(folder / WEIGHTS, folder / ONNX, options)
    except WorkFailedError as error:
        raise WorkFailedError(
            f"{str(error).rstrip('.')}; `hypsweep promote {work.run_dir} --no-onnx` leaves it out, and trains nothing "
            "again."
        ) from error
