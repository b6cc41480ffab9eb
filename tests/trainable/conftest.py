"""Settings for trainings that last fractions of a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.trainable.pictures import link_coco_livestock
from tests.trainable.stock_server import StockServer
from trainable.settings import TrainSettings


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """One core per training, as in a worker of Ray; OpenMP's waiting threads starve each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockServer]:
    """Stock YOLOv5, imported once; each job runs in a process of its own."""
    server = StockServer(tmp_path_factory.mktemp("stock"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def coco_livestock(livestock: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real pictures labelled in COCO's classes, on which official weights find something."""
    return link_coco_livestock(livestock, tmp_path_factory.mktemp("coco_livestock"), step=6)
