"""Checks an ONNX file: is it what ONNX allows, and does ``onnxruntime`` say what PyTorch says?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch

from data_prep.errors import WorkFailedError

INPUT, OUTPUT = "images", "output0"
"""Names of input and output, as ``yolov5 export`` has them."""
_ERRORS_ALONE = 3  # onnxruntime's levels: 2 would print warnings about devices that a machine does not have

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tolerance:
    """How far ``onnxruntime`` may be off PyTorch.

    Attributes:
        boxes:
            Largest absolute difference of a box's centre, width or height, in pixels of the network's input.
        confidences:
            Of an objectness or class confidence, between 0 and 1.
        least:
            Boxes count from this confidence (objectness times that of the best class) on; confidences always do.
    """

    boxes: float
    confidences: float
    least: float = 0.0

    @classmethod
    def of(cls, *, half: bool, image_size: tuple[int, int]) -> Tolerance:
        """What is allowed: in float32 a twentieth of a pixel for every box, however unsure.

        A float16 is spaced by half a pixel from 512 on, and what nobody is sure of is far off: 2 % of the longer side
        for boxes that could be detections.
        """
        return cls(0.02 * max(image_size), 0.02, 0.01) if half else cls(0.05, 1e-3)


@dataclass(frozen=True)
class OnnxCheck:
    """How far an ONNX file is off PyTorch's float32.

    Attributes:
        boxes, confidences:
            Largest absolute differences, as :class:`Tolerance` has them.
        compared:
            How many boxes were compared.
        allowed:
            What they may be.
        inputs:
            Shapes (n, 3, h, w) that were tried.
        pictures:
            How many real pictures were among them; the rest is noise.
        onnxruntime:
            Version of it.
    """

    boxes: float
    confidences: float
    compared: int
    allowed: Tolerance
    inputs: tuple[tuple[int, ...], ...]
    pictures: int
    onnxruntime: str = onnxruntime.__version__


def check_onnx(
    content: bytes,
    reference: Callable[[torch.Tensor], torch.Tensor],
    noise: Iterable[Floats],
    pictures: Iterable[Floats],
    allowed: Tolerance,
) -> OnnxCheck:
    """Run an ONNX file beside PyTorch.

    Args:
        content:
            The file.
        reference:
            PyTorch's model: (n, 3, h, w) in 0..1 to (n, anchors, 5 + classes), boxes as centre, width, height in pixels
            of the input.
        noise:
            Inputs, shape (n, 3, h, w), between 0 and 1.
        pictures:
            The same, of real pictures.
        allowed:
            What it may be off.

    Raises:
        WorkFailedError: It is no valid ONNX, does not run, or is off by more.
    """
    session = open_session(content)
    shapes: list[tuple[int, ...]] = []
    counts, compared, worst = [0, 0], 0, np.zeros(2)
    for kind, inputs in enumerate((noise, pictures)):
        for images in inputs:
            off, boxes_of_images = _difference(session, reference, images, allowed.least)
            worst = np.maximum(worst, off)  # NaN stays
            shapes.append(images.shape)
            counts[kind] += len(images)
            compared += boxes_of_images
    boxes, confidences = map(float, worst)
    if not (boxes <= allowed.boxes and confidences <= allowed.confidences):
        raise WorkFailedError(
            f"the ONNX file is off PyTorch by {boxes:.3g} px (allowed {allowed.boxes:g}) and {confidences:.3g} in "
            f"confidence (allowed {allowed.confidences:g}), so it was not kept; use the .pt file, or report this model."
        )
    return OnnxCheck(boxes, confidences, compared, allowed, tuple(dict.fromkeys(shapes)), counts[1])


def open_session(content: bytes) -> onnxruntime.InferenceSession:
    """Check a file's form and open it on the CPU.

    Raises:
        WorkFailedError: It is no valid ONNX, or ``onnxruntime`` cannot run it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ALONE
    try:
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    # protobuf, onnx and onnxruntime each have errors of their own, of no common kind.
    except Exception as error:
        raise WorkFailedError(f"the ONNX file is not valid ({_line(error)}); report this model.") from error


def _difference(
    session: onnxruntime.InferenceSession,
    reference: Callable[[torch.Tensor], torch.Tensor],
    images: Floats,
    least: float,
) -> tuple[npt.NDArray[np.float64], int]:
    """Largest difference of boxes and of confidences, and how many boxes were compared."""
    wanted = reference(torch.from_numpy(images)).numpy()
    found = _run(session, images)
    if found.shape != wanted.shape:
        raise WorkFailedError(
            f"the ONNX file makes {found.shape} of {images.shape} and PyTorch {wanted.shape}; report this model."
        )
    off = np.abs(found - wanted)
    counted = wanted[..., 4] * wanted[..., 5:].max(-1) >= least
    return np.array([off[counted, :4].max(initial=0), off[..., 4:].max()]), int(counted.sum())


def _run(session: onnxruntime.InferenceSession, images: Floats) -> npt.NDArray[np.float64]:
    kind = np.float16 if "float16" in session.get_inputs()[0].type else np.float32
    try:
        found: Any = session.run([OUTPUT], {INPUT: images.astype(kind)})[0]
    except Exception as error:  # as above
        raise WorkFailedError(f"onnxruntime cannot run the ONNX file ({_line(error)}); report this model.") from error
    return np.asarray(found, np.float64)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
