"""Settings for trainings that last fractions of a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainable.settings import TrainSettings


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
