"""Settings for trainings that last fractions of a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from trainable.settings import TrainSettings


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """One core per training, as in a worker of Ray; OpenMP's waiting threads starve each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def settings(shapes: Path) -> TrainSettings:
    """Four epochs of yolov5n at 64 px from scratch on the CPU, learning from the first batch on."""
    return TrainSettings(
        data=str(shapes),
        epochs=4,
        model="yolov5n",
        image_size=64,
        batch_size=8,
        nominal_batch_size=8,
        min_warmup_iterations=2,
        device="cpu",
    )
