"""A detector out of its weights alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data_prep.errors import InputError
from trainable.detector import load_detector, trained_image_size
from trainable.parts import attach
from trainable.weights import build_model, save_stripped
from trainable.yolov5_parts import DetectionModel


def written(path: Path, name: str, names: list[str], anchors: float | None = None) -> DetectionModel:
    torch.manual_seed(0)
    model = build_model(name, len(names), anchors)
    attach(model, {}, names)
    save_stripped(model, path)
    return model


@pytest.mark.parametrize(
    ("name", "names", "anchors"),
    [
        ("yolov5n", ["cow", "pig"], None),
        ("yolov5n6", ["one"], None),
        ("yolov5s-LeakyReLU", ["a", "b", "c"], None),
        ("yolov5n", ["cow", "pig"], 5),
    ],
)
def test_it_predicts_what_the_written_model_does(
    tmp_path: Path, name: str, names: list[str], anchors: float | None
) -> None:
    written_model = written(tmp_path / "w.pt", name, names, anchors).half().float().eval()
    picture = torch.rand(1, 3, 128, 128)

    found = load_detector(tmp_path / "w.pt", device="cpu")

    assert (found.definition, list(found.names), found.model.training) == (name, names, False)
    with torch.inference_mode():
        assert torch.equal(found.model(picture)[0], written_model(picture)[0])


def test_official_weights(yolov5n_weights: Path) -> None:
    found = load_detector(yolov5n_weights, device="cpu")

    assert (found.definition, len(found.names), found.names[19]) == ("yolov5n", 80, "cow")
    assert found.input_size(100) == (32, 128)


def test_a_plain_state_dict_needs_names(yolov5n_weights: Path) -> None:
    plain = yolov5n_weights.with_name("yolov5n_v6.0_state_dict.pt")
    with pytest.raises(InputError, match=r"state_dict\.pt: the weights have no class names; .* by --data"):
        load_detector(plain, device="cpu")
    names = tuple(f"class {index}" for index in range(80))
    assert load_detector(plain, device="cpu", names=names).names == names
    with pytest.raises(InputError, match=r"80 classes apart and the data\.yaml has 2 names"):
        load_detector(plain, device="cpu", names=names[:2])


def test_weights_of_another_model_than_is_asked_for(tmp_path: Path) -> None:
    written(tmp_path / "w.pt", "yolov5n", ["cow"])
    with pytest.raises(InputError, match=r"w\.pt: \d+ of \d+ tensors do not fit yolov5s with 1 classes; .* --model"):
        load_detector(tmp_path / "w.pt", device="cpu", definition="yolov5s")
    with pytest.raises(InputError, match="yolov9"):
        load_detector(tmp_path / "w.pt", device="cpu", definition="yolov9")


def test_weights_without_a_detector_in_them(tmp_path: Path) -> None:
    torch.save({"model.0.conv.weight": torch.zeros(16, 3, 6, 6)}, tmp_path / "w.pt")
    with pytest.raises(InputError, match="which model the weights belong to"):
        load_detector(tmp_path / "w.pt", device="cpu")
    with pytest.raises(InputError, match="no output layer of a YOLOv5 detector"):
        load_detector(tmp_path / "w.pt", device="cpu", definition="yolov5n")


def test_a_device_that_is_not_there(yolov5n_weights: Path) -> None:
    with pytest.raises(InputError, match="--device is 'tpu'"):
        load_detector(yolov5n_weights, device="tpu")


@pytest.mark.parametrize(("text", "size"), [("image_size: 320\n", 320), ("image_size: x\n", None), (None, None)])
def test_the_image_size_of_the_training(tmp_path: Path, text: str | None, size: int | None) -> None:
    if text is not None:
        (tmp_path / "train.yaml").write_text(text)
    assert trained_image_size(tmp_path / "w.pt") == size
