"""Finds out, before a sweep spends time, what would stop every training of it in the same way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError, WorkFailedError
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.parts import create_model, select_device
from trainable.settings import TrainSettings
from trainable.silver.training import training_rule


def preflight(settings: TrainSettings, hyp: Hyp) -> None:
    """Check model, weights, device and that the splits hold images, on the machine that this runs on.

    Raises:
        InputError: One of them is not to be had; the message is the one that a training would end with.
    """
    select_device(settings.device)
    data = read_data_yaml(Path(settings.data))
    for split in (settings.train_split, settings.val_split):
        if split is not None:
            data.images(split)
    if settings.silver:
        training_rule(settings, data)
    try:
        create_model(settings, hyp, len(data.names))
    except WorkFailedError as error:  # a trial is tried again; before the first one the user can do something about it
        raise InputError(str(error)) from error


class ImageCost(NamedTuple):
    """What the decoded images of a data set take; see :mod:`trainable.image_bank`.

    Attributes:
        seconds:
            Time until they were there: next to nothing where an earlier training has left them.
        bytes:
            Size of the files that all trainings of a node share; 0 where images are decoded each time.
    """

    seconds: float
    bytes: int


def prepare_images(settings: TrainSettings, hyp: Hyp) -> ImageCost:
    """Decode and resize the images of a training, as its first epoch would, and keep them in the cache.

    Raises:
        InputError, WorkFailedError: As the training would.
    """
    begun = time.perf_counter()
    parts = EpochLoop(settings, hyp).parts
    first = time.perf_counter() - begun
    begun = time.perf_counter()
    EpochLoop(settings, hyp)  # the same without the images, which are there now
    second = time.perf_counter() - begun
    banks = [batches.dataset.bank.flat for batches in (parts.train, parts.val) if batches is not None]
    return ImageCost(max(first - second, 0.0), sum(bank.nbytes for bank in banks if bank is not None))
