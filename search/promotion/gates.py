"""What a promotion refuses before any time is spent, and checks when the weights are there."""

from __future__ import annotations

from pathlib import Path

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError, WorkFailedError
from search.promotion.publish import WEIGHTS
from trainable.hyp import Hyp
from trainable.settings import TrainSettings


def refuse_large(hyp: Hyp, settings: TrainSettings, limit: float) -> None:
    """Refuse a model whose stripped weights would be too large; its size does not depend on the training.

    Raises:
        InputError: They would have more than ``limit`` times 10^6 bytes.
    """
    from trainable.footprint import weights_megabytes  # loads torch

    megabytes = weights_megabytes(settings.model, len(read_data_yaml(Path(settings.data)).names), hyp.anchors)
    if megabytes > limit:
        raise InputError(
            f"train.model {settings.model} makes weights of {megabytes:.1f} MB and {limit:g} MB are allowed: "
            "sweep a smaller model, or raise --max-megabytes."
        )


def refuse_metric(name: str) -> None:
    """Refuse a metric by which no thresholds can be chosen.

    Raises:
        InputError: There is no such metric.
    """
    from trainable.thresholds import parse_measure  # loads torch

    parse_measure(name)


def check_megabytes(megabytes: float, limit: float) -> None:
    """Check the size of finished weights, in 10^6 bytes.

    Raises:
        WorkFailedError: They are too large.
    """
    if megabytes > limit:
        raise WorkFailedError(
            f"{WEIGHTS}: the finished weights have {megabytes:.1f} MB and {limit:g} MB are allowed; "
            "raise --max-megabytes."
        )
