"""Against ``yolov5.utils.general.non_max_suppression``: the same detections, bit by bit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from yolov5.utils.general import non_max_suppression

from data_prep.errors import InputError
from trainable.nms import CONFIDENCE, IOU, MAX_DETECTIONS, NmsSettings, candidates_of, cut, keep, suppress


def predictions(candidates: int, classes: int, spread: float, seed: int) -> torch.Tensor:
    """Boxes around a few places, so that most of them overlap; shape (candidates, 5 + classes)."""
    draw = torch.Generator().manual_seed(seed)
    places = torch.rand(12, 2, generator=draw) * 600
    centre = places[torch.randint(12, (candidates,), generator=draw)]
    centre = centre + torch.randn(candidates, 2, generator=draw) * spread
    side = 20 + 60 * torch.rand(candidates, 2, generator=draw)
    return torch.cat((centre, side, torch.rand(candidates, 1 + classes, generator=draw) ** 4), 1)


@pytest.mark.parametrize("classes", [1, 2, 5])
@pytest.mark.parametrize("candidates", [0, 1, 300, 5000])
@pytest.mark.parametrize("spread", [2.0, 30.0, 400.0])
def test_it_equals_yolov5s(candidates: int, classes: int, spread: float) -> None:
    prediction = predictions(candidates, classes, spread, seed=candidates + classes)
    before = prediction.clone()

    found = suppress(prediction)

    (expected,) = non_max_suppression(before[None].clone(), CONFIDENCE, IOU, multi_label=True, max_det=MAX_DETECTIONS)
    assert torch.equal(found, expected)
    assert torch.equal(prediction, before)


def test_more_candidates_than_are_looked_at() -> None:
    prediction = predictions(15000, 3, 1.0, seed=0)  # up to 45,000 rows of box and class

    (expected,) = non_max_suppression(prediction[None].clone(), CONFIDENCE, IOU, multi_label=True, max_det=300)

    assert torch.equal(suppress(prediction), expected)


@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize(
    ("confidence", "iou", "most"), [(0.25, 0.45, 1000), (0.05, 0.7, 7), (0.0, 0.0, 1), (0.5, 1.0, 50)]
)
def test_other_settings_equal_yolov5s(agnostic: bool, confidence: float, iou: float, most: int) -> None:
    prediction = predictions(2000, 3, 20.0, seed=1)

    found = suppress(prediction, NmsSettings(confidence, iou, most, agnostic))

    (expected,) = non_max_suppression(
        prediction[None].clone(), confidence, iou, agnostic=agnostic, multi_label=True, max_det=most
    )
    assert len(found) > 0
    assert torch.equal(found, expected)


@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.floats(0.001, 0.9),
    st.floats(0, 1),
    st.integers(1, 60),
    st.booleans(),
    st.booleans(),
)
def test_a_cut_commutes_with_nms(
    seed: int, classes: int, confidence: float, iou: float, most: int, agnostic: bool, tied: bool
) -> None:
    """On the claim in the docstring of `keep`, for thresholds and for the number of detections."""
    prediction = predictions(seed % 900, classes, 25.0, seed)
    if tied:  # confidences that many boxes share
        prediction[:, 4:] = (prediction[:, 4:] * 8).round() / 8

    low = keep(candidates_of(prediction, 0.001), NmsSettings(0.001, iou, 10**6, agnostic))
    high = keep(candidates_of(prediction, confidence), NmsSettings(confidence, iou, most, agnostic))

    assert torch.equal(cut(low, confidence)[:most], high)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"confidence": 1.0}, "confidence threshold is 1.0"),
        ({"confidence": float("nan")}, "confidence threshold is nan"),
        ({"iou": 1.01}, "IoU threshold of NMS is 1.01"),
        ({"max_detections": 0}, "most detections of an image are 0"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        NmsSettings(**values)  # type: ignore[arg-type]
