"""Raw predictions: what is made of them is what the model gives directly; a file of anything else is made anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from yolov5.utils.dataloaders import create_dataloader
from yolov5.utils.general import non_max_suppression

from data_prep.dataset import read_data_yaml
from data_prep.errors import WorkFailedError
from tests.shapes import draw_shapes
from tests.trainable.raw_images import draw_images, write_raw
from trainable.detector import Detector, load_detector
from trainable.nms import NmsSettings, cut, keep
from trainable.raw_file import CHUNK, find_raw
from trainable.raw_predictions import RawRun, raw_predictions
from trainable.weights import save_stripped

SIZE = 160


@pytest.fixture(scope="module")
def detector(yolov5n_weights: Path) -> Detector:
    return load_detector(yolov5n_weights, device="cpu")


@pytest.fixture(scope="module")
def run(detector: Detector, coco_livestock: Path) -> RawRun:
    return RawRun(detector=detector, data=read_data_yaml(coco_livestock), split="val", image_size=SIZE)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "settings",
    [
        NmsSettings(),
        NmsSettings(confidence=0.25, iou=0.45, max_detections=1000),
        NmsSettings(confidence=0.05, iou=0.7, max_detections=5, agnostic=True),
    ],
)
def test_nms_of_them_is_yolov5s(run: RawRun, tmp_path_factory: pytest.TempPathFactory, settings: NmsSettings) -> None:
    """Against the network run anew on each image, at its own threshold, and YOLOv5's non_max_suppression."""
    raw = raw_predictions(run, tmp_path_factory.getbasetemp() / "shared.parquet")
    found = 0
    for image, pixels in zip(raw, _inputs(run), strict=True):
        with torch.inference_mode():
            predictions = run.detector.model(pixels)[0]
        (expected,) = non_max_suppression(
            predictions.clone(), settings.confidence, settings.iou, agnostic=settings.agnostic, multi_label=True,
            max_det=settings.max_detections,
        )  # fmt: skip
        assert torch.equal(keep(cut(image.candidates, settings.confidence), settings), expected)
        found += len(expected)
    assert found > 30


def _inputs(run: RawRun) -> list[torch.Tensor]:
    """The network's inputs, by stock YOLOv5's loader."""
    folder = run.data.splits["val"][0]
    loader = create_dataloader(str(folder), SIZE, 1, 32, rect=True, pad=0.5, workers=0)[0]
    return [images.float() / 255 for images, *_ in loader]


def test_a_file_is_used_again_and_never_for_anything_else(run: RawRun, tmp_path: Path) -> None:
    path, told = tmp_path / "raw.parquet", []
    first = raw_predictions(run, path, lambda *now: told.append(now))
    assert told[-1] == ("predict", len(first), len(first))
    content = path.read_bytes()
    told.clear()

    again = raw_predictions(run, path, lambda *now: told.append(now))

    assert (told, path.read_bytes(), len(again)) == ([], content, len(first))
    path.rename(tmp_path / "moved.parquet")
    moved = raw_predictions(
        run, path, lambda *now: told.append(now), [tmp_path / "gone.parquet", tmp_path / "moved.parquet"]
    )
    assert (told, len(moved), path.exists()) == ([], len(first), False)
    for change in ({"image_size": SIZE + 32}, {"confidence": 0.5}):
        other = raw_predictions(RawRun(**{**run.__dict__, **change}), path, lambda *now: told.append(now))
        assert told, change
        assert all((image.candidates[:, 4] > other.about["confidence"]).all() for image in other)
        told.clear()


@pytest.mark.parametrize("what", ["weights", "label", "image"])
def test_what_changed_is_predicted_anew(what: str, yolov5n_weights: Path, tmp_path: Path) -> None:
    data = draw_shapes(tmp_path / "data", train=1, val=3, seed=1)
    weights = tmp_path / "weights.pt"
    weights.write_bytes(yolov5n_weights.read_bytes())

    def about() -> dict[str, object]:
        run = RawRun(
            detector=load_detector(weights, device="cpu"), data=read_data_yaml(data), split="val", image_size=64
        )
        return dict(raw_predictions(run, tmp_path / "raw.parquet").about)

    before = about()
    if what == "weights":
        other = load_detector(weights, device="cpu").model
        with torch.no_grad():
            next(other.parameters()).mul_(1.01)
        save_stripped(other, weights)
    elif what == "label":
        label = tmp_path / "data" / "labels" / "val" / "000.txt"
        label.write_text("0 0.5 0.5 0.1 0.1\n")
    else:
        image = tmp_path / "data" / "images" / "val" / "000.png"
        os.utime(image, ns=(1, 1))
    after = about()

    assert before != after
    assert find_raw(tmp_path / "raw.parquet", before) is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    images = draw_images(CHUNK * 2 + 3, classes=3, seed=0)
    images[5] = images[5]._replace(candidates=torch.zeros(0, 6), labels=torch.zeros(0, 5))

    raw = write_raw(tmp_path / "raw.parquet", images, {"a": [1]})

    assert len(raw) == len(images)
    for _ in range(2):
        for read, image in zip(raw, images, strict=True):
            assert (read.file, read.letterbox, read.size) == (image.file, image.letterbox, image.size)
            assert torch.equal(read.candidates, image.candidates)
            assert torch.equal(read.labels, image.labels)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_damaged_file_is_none(tmp_path: Path, share: float) -> None:
    path = tmp_path / "raw.parquet"
    raw = write_raw(path, draw_images(CHUNK + 1, classes=2, seed=0))
    assert find_raw(path, {}) is not None
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    assert find_raw(path, {}) is None
    with pytest.raises(WorkFailedError, match=r"raw\.parquet can no longer be read; delete it"):
        list(raw)


def test_an_error_while_it_is_written_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "raw.parquet"
    images = draw_images(CHUNK, classes=2, seed=0)
    with pytest.raises(IndexError):
        write_raw(path, [*images, images[0]._replace(candidates=torch.zeros(1, 3))])
    assert list(tmp_path.iterdir()) == []
