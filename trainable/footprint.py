"""Costs that a configuration tells without a training: the size of the weights and the operations of a picture."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Collection
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from data_prep.dataset import read_data_yaml
from trainable.costs import GFLOPS, KNOWN_BEFORE, WEIGHTS_MEGABYTES
from trainable.hyp import Hyp
from trainable.parts import input_size
from trainable.settings import TrainSettings
from trainable.weights import build_model, save_stripped

_MEGABYTE, _GIGA = 1e6, 1e9


def known_costs(settings: TrainSettings, hyp: Hyp, names: Collection[str] = KNOWN_BEFORE) -> dict[str, float]:
    """Costs that are known before a training, by their names.

    Args:
        settings:
            Model, image size and data set.
        hyp:
            How many anchors there are.
        names:
            Which costs; others are left out.

    Raises:
        InputError: There is no such model or data set.
    """
    classes = len(read_data_yaml(Path(settings.data)).names)
    of = {
        WEIGHTS_MEGABYTES: lambda: weights_megabytes(settings.model, classes, hyp.anchors),
        GFLOPS: lambda: gflops(settings.model, settings.image_size, classes, hyp.anchors),
    }
    return {name: of[name]() for name in KNOWN_BEFORE if name in names}


@functools.cache
def weights_megabytes(model: str, class_count: int, anchors: float | None = None) -> float:
    """Size of the stripped fp16 weights in 10^6 bytes; it does not depend on the training.

    Names of classes come on top when the weights are finished, a few bytes each.

    Args:
        model:
            ``yolov5n`` ... ``yolov5x6``.
        class_count:
            Number of classes.
        anchors:
            Anchors per output layer; None or 0 keeps the definition's.

    Raises:
        InputError: There is no such model.
    """
    with torch.random.fork_rng(devices=()), tempfile.TemporaryDirectory() as folder:
        return save_stripped(build_model(model, class_count, anchors), Path(folder) / "weights.pt") / _MEGABYTE


@functools.cache
def gflops(model: str, image_size: int, class_count: int, anchors: float | None = None) -> float:
    """Operations of one square picture of ``image_size`` in 10^9, counted without computing anything.

    Raises:
        InputError: There is no such model.
    """
    with torch.random.fork_rng(devices=()):
        built = build_model(model, class_count, anchors)
    _, size = input_size(built, image_size)
    built.to("meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        built.train()(torch.empty(1, 3, size, size, device="meta"))  # in training the head has no grid to build
    return float(counter.get_total_flops()) / _GIGA
