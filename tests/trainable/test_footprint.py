"""What a configuration costs, known without a training."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from data_prep.errors import InputError
from trainable.footprint import gflops, known_costs, weights_megabytes
from trainable.hyp import Hyp
from trainable.settings import TrainSettings
from trainable.weights import build_model, save_stripped

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(("model", "published"), [("yolov5n", 4.5), ("yolov5s", 16.5)])
def test_operations_are_those_that_yolov5_publishes(model: str, published: float) -> None:
    """The table in YOLOv5's README: 80 classes, 640 pixels."""
    assert gflops(model, 640, 80) == pytest.approx(published, rel=0.02)


def test_operations_grow_with_the_pixels_and_sizes_are_rounded_up_as_in_a_training() -> None:
    assert gflops("yolov5n", 640, 2) == pytest.approx(4 * gflops("yolov5n", 320, 2))
    assert gflops("yolov5n", 310, 2) == gflops("yolov5n", 320, 2)


def test_weights_are_as_large_as_the_file_and_anchors_count(tmp_path: Path) -> None:
    written = save_stripped(build_model("yolov5n", 3, 5.0), tmp_path / "weights.pt") / 1e6

    assert weights_megabytes("yolov5n", 3, 5.0) == pytest.approx(written, abs=1e-4)
    assert weights_megabytes("yolov5n", 3, 5.0) > weights_megabytes("yolov5n", 3, 3.0) + 1e-3
    assert weights_megabytes("yolov5n", 3, None) == pytest.approx(weights_megabytes("yolov5n", 3, 3.0), abs=1e-4)


def test_a_configuration_tells_both(settings: TrainSettings) -> None:
    costs = known_costs(settings, Hyp())

    assert costs == {
        "weights_megabytes": weights_megabytes("yolov5n", 2, Hyp().anchors),
        "gflops": gflops("yolov5n", 64, 2, Hyp().anchors),
    }


def test_a_training_does_not_notice() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)

    torch.manual_seed(5)
    weights_megabytes.__wrapped__("yolov5n", 2, 4.0)
    gflops.__wrapped__("yolov5n", 64, 2, 4.0)

    assert torch.equal(torch.rand(3), expected)


def test_an_unknown_model_is_named(settings: TrainSettings) -> None:
    with pytest.raises(InputError, match="yolov5q"):
        known_costs(dataclasses.replace(settings, model="yolov5q"), Hyp())
