"""Who says at which confidence to work."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from data_prep.errors import InputError
from data_prep.files import file_sha256
from trainable.error_analysis.working import find_thresholds, working_point
from trainable.nms import NmsSettings

CHOSEN = {"confidence": 0.3, "iou": 0.5, "max_detections": 100, "agnostic": True}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"weights")
    return path


def leave(path: Path, **more: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump({"chosen": CHOSEN, **more}))
    return path


def test_without_thresholds_the_best_f1_is_taken(weights: Path) -> None:
    found = working_point(find_thresholds(weights, None), None)
    assert found.nms == NmsSettings()
    assert found.confidence is None
    assert found.at(0.4).as_dict() == {
        **NmsSettings().as_dict(), "confidence": 0.4, "confidence_from": "the best mean F1 on these pictures",
        "nms_from": "the defaults of yolov5 val",
    }  # fmt: skip


@pytest.mark.parametrize("place", ["thresholds.yaml", "thresholds/thresholds.yaml"])
def test_thresholds_beside_the_weights_are_taken(weights: Path, place: str) -> None:
    path = leave(weights.parent / place, metric="f1", weights_sha256=file_sha256(weights))
    found = working_point(find_thresholds(weights, None), None)
    assert (found.confidence, found.confidence_from) == (0.3, str(path))
    assert found.nms == NmsSettings(0.001, 0.5, 100, agnostic=True)
    assert found.at(0.7).confidence == 0.3


def test_thresholds_of_other_weights_are_not(weights: Path) -> None:
    path = leave(weights.parent / "thresholds.yaml", metric="f1", weights_sha256="0" * 64)
    assert find_thresholds(weights, None) is None
    assert find_thresholds(weights, path) is not None  # unless they are asked for


def test_thresholds_for_a_ranking_have_no_confidence_to_work_at(weights: Path) -> None:
    path = leave(weights.parent / "t.yaml", metric="score75")
    found = working_point(find_thresholds(weights, path), None)
    assert (found.confidence, found.nms.iou) == (None, 0.5)
    assert f"{path} was chosen for score75, a ranking" in found.confidence_from


def test_a_given_confidence_comes_first(weights: Path) -> None:
    leave(weights.parent / "thresholds.yaml")
    found = working_point(find_thresholds(weights, None), 0.8)
    assert (found.confidence, found.confidence_from, found.nms.iou) == (0.8, "--confidence", 0.5)


@pytest.mark.parametrize(("confidence", "said"), [(0.0001, "--confidence is 0.0001"), (1.5, "threshold is 1.5")])
def test_a_confidence_out_of_range_is_refused(confidence: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        working_point(None, confidence)


def test_damaged_thresholds_are_refused(weights: Path) -> None:
    (weights.parent / "thresholds.yaml").write_text("chosen: 3\n")
    with pytest.raises(InputError, match=r"thresholds\.yaml: `chosen` must have"):
        find_thresholds(weights, None)
