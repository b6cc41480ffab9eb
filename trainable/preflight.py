"""Finds out, before a sweep spends time, what would stop every training of it in the same way."""

from __future__ import annotations

from pathlib import Path

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError, WorkFailedError
from trainable.hyp import Hyp
from trainable.parts import create_model, select_device
from trainable.settings import TrainSettings


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
    try:
        create_model(settings, hyp, len(data.names))
    except WorkFailedError as error:  # a trial is tried again; before the first one the user can do something about it
        raise InputError(str(error)) from error
