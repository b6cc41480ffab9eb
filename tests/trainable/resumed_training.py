"""A training in a process of its own, to be killed and gone on with."""

from __future__ import annotations

import hashlib
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from trainable.checkpoint import READABLE
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings

TIMES = {"epoch_seconds", "images_per_second"}


def train(settings: TrainSettings, hyp: Hyp, folder: Path, said: Connection) -> None:
    """Train to the last epoch, from the checkpoint in ``folder`` if there is one; a checkpoint after each epoch.

    Sends each finished epoch, and at the end what :func:`fingerprints` found.
    """
    torch.set_num_threads(1)
    loop = EpochLoop(settings, hyp)
    if (folder / READABLE).exists():
        loop.load(folder)
    said.send(loop.epoch)
    while not loop.finished:
        loop.run_epoch()
        loop.save(folder)
        said.send(loop.epoch)
    said.send(fingerprints(loop))


def fingerprints(loop: EpochLoop) -> dict[str, str]:
    """What the training is: each part of its state by name, bit by bit, and the metrics of its last epoch."""
    metrics = {name: value for name, value in loop.last.items() if name not in TIMES}
    found: dict[str, str] = {}
    for name, value in (*loop.state_dict().items(), ("metrics", metrics)):
        found[name] = hashlib.sha256(_bytes(value)).hexdigest()
    return found


def _bytes(value: Any) -> bytes:
    if isinstance(value, torch.Tensor):
        raw = value.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        return f"{value.dtype}{tuple(value.shape)}".encode() + raw
    if isinstance(value, dict):
        return b"{" + b",".join(_bytes(key) + b":" + _bytes(value[key]) for key in value) + b"}"
    if isinstance(value, list | tuple):
        return b"[" + b",".join(map(_bytes, value)) + b"]"
    return repr(value).encode()
