"""What the check of an ONNX file finds, on graphs that are written by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from data_prep.errors import WorkFailedError
from trainable.onnx_check import Floats, OnnxCheck, Tolerance, check_onnx

FLAT = helper.make_tensor("shape", TensorProto.INT64, [3], [0, -1, 6])


def adding(offset: list[float]) -> bytes:
    """A graph: six numbers an anchor (box, objectness, one class), each with something added."""
    nodes = [
        helper.make_node("Reshape", ["images", "shape"], ["rows"]),
        helper.make_node("Add", ["rows", "offset"], ["output0"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, "h", "w"])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["n", "a", 6])
    added = helper.make_tensor("offset", TensorProto.FLOAT, [6], offset)
    graph = helper.make_graph(nodes, "adding", [images], [output], [FLAT, added])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    return bytes(model.SerializeToString())


def plain(images: torch.Tensor) -> torch.Tensor:
    return images.reshape(len(images), -1, 6)


def checked(offset: list[float], allowed: Tolerance, images: Floats) -> OnnxCheck:
    return check_onnx(adding(offset), plain, [images], [images[:1]], allowed)


IMAGES = np.random.default_rng(0).random((2, 3, 4, 4), np.float32)


def test_the_largest_differences_are_told() -> None:
    found = checked([0, 0.25, 0, -0.125, 0, 0.0625], Tolerance(0.5, 0.1), IMAGES)
    assert (found.boxes, found.confidences) == (pytest.approx(0.25), pytest.approx(0.0625))
    assert (found.compared, found.pictures, found.inputs) == (24, 1, ((2, 3, 4, 4), (1, 3, 4, 4)))


@pytest.mark.parametrize("offset", [[0.6, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0.2, 0], [float("nan"), 0, 0, 0, 0, 0]])
def test_more_than_is_allowed_is_refused(offset: list[float]) -> None:
    with pytest.raises(WorkFailedError, match=r"off PyTorch by .* px \(allowed 0\.5\).*not kept"):
        checked(offset, Tolerance(0.5, 0.1), IMAGES)


def test_boxes_count_from_the_least_confidence_on() -> None:
    images = IMAGES.copy()
    rows = images.reshape(2, -1, 6)
    rows[..., 4:] = 0.1
    rows[0, 3, 4:] = 0.9
    assert checked([1, 0, 0, 0, 0, 0], Tolerance(2, 0.1, 0.5), images).compared == 2  # of noise and of the picture
    assert checked([9, 0, 0, 0, 0, 0], Tolerance(2, 0.1, 0.95), images).boxes == 0


def test_what_is_no_onnx_and_what_has_another_shape() -> None:
    with pytest.raises(WorkFailedError, match="not valid"):
        check_onnx(b"no graph", plain, [IMAGES], [], Tolerance(1, 1))
    with pytest.raises(WorkFailedError, match=r"makes \(2, 8, 6\) of .* PyTorch \(2, 4, 12\)"):
        check_onnx(adding([0] * 6), lambda images: images.reshape(2, 4, 12), [IMAGES], [], Tolerance(1, 1))
    model = onnx.load_from_string(adding([0] * 6))
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 8
    with pytest.raises(WorkFailedError, match="onnxruntime cannot run"):
        check_onnx(model.SerializeToString(), plain, [IMAGES], [], Tolerance(1, 1))


def test_half_precision_is_allowed_more() -> None:
    assert Tolerance.of(half=False, image_size=(640, 1280)) == Tolerance(0.05, 1e-3, 0)
    assert Tolerance.of(half=True, image_size=(640, 1280)) == Tolerance(25.6, 0.02, 0.01)
