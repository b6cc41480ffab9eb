"""A YOLOv5 model as an ONNX graph, as ``yolov5 export --include onnx`` makes it."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import onnx
import torch
from torch.jit._trace import TracerWarning

from trainable.onnx_check import INPUT, OUTPUT
from trainable.yolov5_parts import DetectionModel

OPSET = 12
"""Version of ONNX's operators. All that YOLOv5 needs is in it, and older readers know it: TensorRT 8.2 ends at 13."""
_DYNAMIC = {INPUT: {0: "batch", 2: "height", 3: "width"}, OUTPUT: {0: "batch", 1: "anchors"}}


def onnx_bytes(
    model: DetectionModel,
    image_size: tuple[int, int],
    metadata: Mapping[str, str],
    *,
    dynamic: bool = False,
    half: bool = False,
) -> bytes:
    """Export a model; the same model gives the same bytes.

    The input is ``images``, (n, 3, h, w) between 0 and 1; the output ``output0``, (n, anchors, 5 + classes): centre x,
    centre y, width, height in pixels of the input, objectness, class confidences. NMS is left to the user.

    By torch's TorchScript exporter: the newer one (``dynamo=True``) takes ten to forty times as long, asks for two more
    packages and starts at opset 18 (docs/decisions/0035-finish.md).

    Args:
        model:
            In evaluation mode, float32, on the CPU; it is left as it is.
        image_size:
            Height and width in pixels, multiples of the largest stride.
        metadata:
            Kept in the file.
        dynamic:
            Whether number, height and width of the images are free; else they are 1 and ``image_size``.
        half:
            Whether weights, input and output are float16.
    """
    exported = deepcopy(model)
    head = exported.model[-1]
    head.export, head.dynamic, head.inplace = True, dynamic, False
    images = torch.zeros(1, 3, *image_size)
    if half:
        exported, images = exported.half(), images.half()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", TracerWarning)  # YOLOv5 asks for shapes, which are meant to be fixed
        warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter, see above
        exported(images)  # makes the grid, which would otherwise become part of the graph
        torch.onnx.export(
            exported,
            (images,),
            Path(folder, "model.onnx"),
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes=_DYNAMIC if dynamic else None,
            dynamo=False,
        )
        graph = onnx.load(Path(folder, "model.onnx"))
    onnx.helper.set_model_props(graph, dict(metadata))
    return bytes(graph.SerializeToString(deterministic=True))
