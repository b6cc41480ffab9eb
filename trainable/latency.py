"""How long one picture takes: model and NMS, batch 1."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import torch

from trainable.nms import suppress
from trainable.precision import Precision
from trainable.yolov5_parts import DetectionModel

WARM_UP = 5
"""Runs that do not count: the first ones choose kernels and fill caches."""
FEWEST, MOST = 10, 100
"""Runs that count."""
BUDGET_S = 2.0
"""Beyond the fewest, runs end after so many seconds."""
_GREY = 114  # what YOLOv5 pads with


class Latency(NamedTuple):
    """Milliseconds of one picture.

    Attributes:
        median:
            Half of the runs were faster.
        spread:
            Distance between the quartiles of the runs.
        runs:
            How many there were.
    """

    median: float
    spread: float
    runs: int


def measure_latency(model: DetectionModel, precision: Precision, picture: torch.Tensor) -> Latency:
    """Time one picture through the network and NMS, in the precision of the training's validation.

    It is a measurement: it differs from run to run, and with what else the machine does.

    Args:
        model:
            On the device of ``precision``; left in evaluation mode.
        precision:
            Where and in which precision to compute.
        picture:
            Shape (3, size, size), uint8.
    """
    model.eval()
    pixels = precision.pixels(picture[None])
    times: list[float] = []
    with torch.inference_mode():
        for _ in range(WARM_UP):
            _detect(model, precision, pixels)
        while len(times) < FEWEST or (len(times) < MOST and sum(times) < BUDGET_S):
            started = time.perf_counter()
            _detect(model, precision, pixels)
            times.append(time.perf_counter() - started)
    low, median, high = (float(value) * 1000 for value in np.percentile(times, (25, 50, 75)))
    return Latency(median, high - low, len(times))


def on_square(picture: torch.Tensor | None, size: int) -> torch.Tensor:
    """A picture on a square of ``size`` pixels with grey around it, what is larger cut off; None is all grey.

    Args:
        picture:
            Shape (3, h, w), uint8.
        size:
            Side of the square.
    """
    square = torch.full((3, size, size), _GREY, dtype=torch.uint8)
    if picture is not None:
        part = picture[:, :size, :size]
        square[:, : part.shape[1], : part.shape[2]] = part
    return square


def _detect(model: DetectionModel, precision: Precision, pixels: torch.Tensor) -> None:
    with precision.computing(model):
        predictions = model(pixels)[0]
    suppress(predictions[0].float())
    if precision.device.type == "cuda":
        torch.cuda.synchronize(precision.device)
