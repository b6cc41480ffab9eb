"""What ``metrics.json`` says of finished weights."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data_prep.dataset import read_data_yaml
from search.config import SweepConfig
from search.goals.record import values_by_epoch
from search.identity import fingerprint
from search.results import BestTrial
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

_MEGABYTE = 1e6
_PACKAGES = (
    "hypsweep",
    "yolov5",
    "torch",
    "torchvision",
    "numpy",
    "opencv-python",
    "optuna",
    "ray",
    "onnx",
    "onnxruntime",
)


def final_metrics(
    config: SweepConfig, best: BestTrial, settings: TrainSettings, hyp: Hyp, weights: Path, trained: dict[str, Any]
) -> dict[str, Any]:
    """Where the weights come from and how good they are, the latter only by pictures that they never saw.

    Args:
        config:
            The sweep.
        best:
            The promoted trial.
        settings:
            Of the final training.
        hyp:
            Of the final training.
        weights:
            The finished file.
        trained:
            Metrics of the last epoch.
    """
    from data_prep.files import file_sha256
    from trainable.judge import judge  # loads torch

    test = None
    if "test" in read_data_yaml(Path(settings.data)).splits:
        test = judge(weights, settings, hyp, data=settings.data, split="test").as_dict()
    return {
        "sweep": config.name,
        "trial": best.trial.number,
        "trial_metric": config.metric,
        "trial_value": best.value,
        "trial_0_value": best.default_value,
        "trial_values": dict(zip((goal.metric for goal in config.goals), _values(best), strict=True)),
        "data": settings.data,
        "data_sha256": fingerprint(Path(settings.data)),
        "model": settings.model,
        "image_size": settings.image_size,
        "seed": settings.seed,
        "epochs": settings.epochs,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "last_epoch": trained,
        "test": test,
        "megabytes": weights.stat().st_size / _MEGABYTE,
        "weights_sha256": file_sha256(weights),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }


def _values(best: BestTrial) -> tuple[float, ...]:
    return values_by_epoch(best.trial).get(best.epoch, (best.value,))
