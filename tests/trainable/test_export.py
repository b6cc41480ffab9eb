"""Weights as ONNX: what stock YOLOv5 reads, what onnxruntime makes of it, and what is refused."""

from __future__ import annotations

import ast
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import trainable.export
from data_prep.errors import InputError, WorkFailedError
from tests.trainable.test_detector import written
from trainable.export import OnnxOptions, export_onnx, parse_size
from trainable.onnx_graph import OPSET, onnx_bytes

pytestmark = pytest.mark.timeout(120)
SMALL = OnnxOptions(image_size=(64, 96))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "w.pt"
    written(path, "yolov5n", ["cow", "돼지 'o"])
    return path


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("model", "size", "shape"), [("yolov5n", (64, 96), (64, 96)), ("yolov5n6", (100, 129), (128, 192))]
)
@pytest.mark.parametrize("dynamic", [False, True])
def test_onnxruntime_says_what_pytorch_says(
    tmp_path: Path, model: str, size: tuple[int, int], shape: tuple[int, int], dynamic: bool
) -> None:
    """Of a model that is built here, not by what is tested, on inputs that the export has not seen."""
    reference = written(tmp_path / "w.pt", model, ["a", "b", "c"]).half().float().eval()

    found = export_onnx(tmp_path / "w.pt", options=OnnxOptions(image_size=size, dynamic=dynamic))

    assert (found.path, found.image_size) == (tmp_path / "w.onnx", shape)
    assert found.megabytes == found.path.stat().st_size / 1e6
    for count, height, width in [(1, *shape), *([(3, 192, 128), (2, 128, 320)] if dynamic else [])]:
        images = torch.rand(count, 3, height, width)
        with torch.inference_mode():
            wanted = reference(images)[0].numpy()
        (own,) = session(found.path).run(["output0"], {"images": images.numpy()})
        assert own.shape == wanted.shape
        assert np.abs(own - wanted).max() < 0.01
    assert len(found.check.inputs) == (3 if dynamic else 1)


def test_the_file_is_what_yolov5_writes(weights: Path, tmp_path: Path) -> None:
    """Names of input and output, and the metadata that ``DetectMultiBackend`` evaluates."""
    found = export_onnx(weights, tmp_path / "o.onnx", SMALL)

    graph = onnx.load(found.path)
    onnx.checker.check_model(graph, full_check=True)
    assert [(each.domain, each.version) for each in graph.opset_import] == [("", OPSET)]
    opened = session(found.path)
    assert [(each.name, each.shape) for each in opened.get_inputs()] == [("images", [1, 3, 64, 96])]
    assert [(each.name, each.shape) for each in opened.get_outputs()] == [("output0", [1, 378, 7])]
    meta = opened.get_modelmeta().custom_metadata_map
    assert (int(meta["stride"]), ast.literal_eval(meta["names"])) == (32, {0: "cow", 1: "돼지 'o"})


def test_opencv_reads_a_fixed_size(weights: Path, tmp_path: Path) -> None:
    path = export_onnx(weights, tmp_path / "o.onnx", SMALL).path
    images = np.random.default_rng(1).random((1, 3, 64, 96), np.float32)
    net = cv2.dnn.readNetFromONNX(str(path))
    net.setInput(images)
    (wanted,) = session(path).run(None, {"images": images})
    assert np.abs(np.asarray(net.forward()).reshape(wanted.shape) - wanted).max() < 0.01


def test_the_same_weights_give_the_same_bytes(weights: Path, tmp_path: Path) -> None:
    one, other = (export_onnx(weights, tmp_path / name, SMALL).path for name in ("a.onnx", "b.onnx"))
    assert one.read_bytes() == other.read_bytes()


def test_half_precision(weights: Path, tmp_path: Path) -> None:
    found = export_onnx(weights, tmp_path / "o.onnx", OnnxOptions(image_size=(64, 64), half=True))
    opened = session(found.path)
    assert {each.type for each in (*opened.get_inputs(), *opened.get_outputs())} == {"tensor(float16)"}
    assert 0 < found.check.confidences < 0.02
    assert found.megabytes == pytest.approx(weights.stat().st_size / 1e6, rel=0.1)


def test_official_weights_on_real_pictures(yolov5n_weights: Path, livestock: Path, tmp_path: Path) -> None:
    found = export_onnx(
        yolov5n_weights, tmp_path / "o.onnx", OnnxOptions(image_size=(192, 192), dynamic=True, pictures=livestock)
    )
    assert found.check.pictures == 4
    assert found.check.boxes < 0.01
    assert found.check.confidences < 1e-4
    assert any(shape[2] != shape[3] for shape in found.check.inputs[4:])  # not squares: they come as they are


def test_the_size_of_the_training(tmp_path: Path) -> None:
    written(tmp_path / "w.pt", "yolov5n", ["a"])
    (tmp_path / "train.yaml").write_text("image_size: 90\n")
    assert export_onnx(tmp_path / "w.pt").image_size == (96, 96)


def test_a_graph_that_says_something_else_is_not_kept(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One weight of the output layer's is changed by a tenth."""

    def tampered(*arguments: object, **options: object) -> bytes:
        graph = onnx.load_from_string(onnx_bytes(*arguments, **options))  # type: ignore[arg-type]  # passed through
        bias = next(each for each in graph.graph.initializer if each.name == "model.24.m.0.bias")
        values = onnx.numpy_helper.to_array(bias).copy()
        values[0] += 0.1
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
        return bytes(graph.SerializeToString())

    monkeypatch.setattr(trainable.export, "onnx_bytes", tampered)
    (tmp_path / "o.onnx").write_bytes(b"the older one")
    with pytest.raises(WorkFailedError, match=r"off PyTorch by [\d.]+ px \(allowed 0\.05\).*not kept"):
        export_onnx(weights, tmp_path / "o.onnx", SMALL)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"o.onnx": b"the older one"}


def test_a_file_that_cannot_be_written_leaves_nothing(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "o.onnx").mkdir()
    with pytest.raises(WorkFailedError, match=r"o\.onnx: the ONNX file cannot be written.*directory"):
        export_onnx(weights, tmp_path / "o.onnx", SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["o.onnx"]


@pytest.mark.parametrize("out", ["x.pt", "x", "nowhere/x.onnx"])
def test_a_place_that_cannot_be(weights: Path, tmp_path: Path, out: str) -> None:
    with pytest.raises(InputError, match=r"ends with \.onnx, in a folder that is there"):
        export_onnx(weights, tmp_path / out, SMALL)


def test_what_is_no_yolov5(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"w\.pt: is no YOLOv5 checkpoint"):
        export_onnx(tmp_path / "w.pt", options=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["w.pt"]


def test_options_that_do_not_go_together() -> None:
    with pytest.raises(InputError, match="--half and --dynamic"):
        OnnxOptions(half=True, dynamic=True)
    with pytest.raises(InputError, match="--image-size"):
        OnnxOptions(image_size=(0, 64))


@pytest.mark.parametrize(("text", "size"), [("640", (640, 640)), ("384x640", (384, 640))])
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "640x", "-64", "64,96", "1e3", "123456"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InputError, match="384x640"):
        parse_size(text)
