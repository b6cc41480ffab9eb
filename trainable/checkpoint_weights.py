"""Weights out of a training's checkpoint: the stripped file that everything about finished weights reads."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from pyarrow.fs import FileSystem, LocalFileSystem, copy_files  # type: ignore[import-untyped]

from data_prep.dataset import read_data_yaml
from data_prep.errors import WorkFailedError
from data_prep.files import write_atomically
from trainable.checkpoint import read_checkpoint
from trainable.detector import TRAIN
from trainable.hyp import Hyp
from trainable.parts import attach
from trainable.settings import TrainSettings
from trainable.weights import build_model, save_stripped
from trainable.weights_transfer import transfer


def weights_of_checkpoint(place: str, weights: Path) -> TrainSettings:
    """Write the EMA weights of a checkpoint, in fp16, and ``train.yaml`` beside them.

    Args:
        place:
            Path or URI of the checkpoint.
        weights:
            The file to write.

    Returns:
        The settings of the training.

    Raises:
        InputError: The data.yaml that it was trained with is gone or has changed.
        WorkFailedError: There is no whole checkpoint, or not of such a training.
    """
    tensors, readable = _fetched(place)
    try:
        settings, hyp = TrainSettings.from_mapping(readable["train"]), Hyp.from_mapping(readable["hyp"])
        names, state = read_data_yaml(Path(settings.data)).names, tensors["ema"]
    except (KeyError, TypeError) as error:
        raise WorkFailedError(f"{place}: is no checkpoint of a training ({error}); confirm anew.") from error
    model = build_model(settings.model, len(names), hyp.anchors)
    report = transfer(model, state, keep_anchors=False)
    if report.untaken:
        raise WorkFailedError(
            f"{place}: {len(report.untaken)} of {report.total} tensors do not fit {settings.model} with the "
            f"{len(names)} classes of {settings.data}; confirm anew."
        )
    attach(model, dict(hyp.as_dict()), names)
    save_stripped(model, weights)
    write_atomically(weights.with_name(TRAIN), yaml.safe_dump(settings.as_dict(), sort_keys=False).encode())
    return settings


def _fetched(place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors and readable part of a checkpoint that may lie in a bucket."""
    filesystem, path = FileSystem.from_uri(place)
    if isinstance(filesystem, LocalFileSystem):
        return read_checkpoint(path)
    with tempfile.TemporaryDirectory() as folder:
        try:
            copy_files(path, folder, source_filesystem=filesystem, destination_filesystem=LocalFileSystem())
        except OSError as error:
            raise WorkFailedError(f"{place}: the checkpoint cannot be fetched ({error}); try again.") from error
        return read_checkpoint(folder)
