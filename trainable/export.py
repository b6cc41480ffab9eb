"""``hypsweep onnx``: weights as an ONNX file that was run beside PyTorch before it is left to anybody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_prep.dataset import read_data_yaml
from data_prep.durable import write_error
from data_prep.errors import InputError
from data_prep.files import file_sha256, write_atomically
from trainable.detector import IMAGE_SIZE, Detector, load_detector, trained_image_size
from trainable.onnx_check import Floats, OnnxCheck, Tolerance, check_onnx
from trainable.onnx_graph import OPSET, onnx_bytes
from trainable.predict.sources import Unreadable, open_source
from trainable.yolov5_parts import letterbox

SUFFIX = ".onnx"
PICTURES = 4
"""So many real pictures are tried at most."""
_MEGABYTE = 1e6


@dataclass(frozen=True, kw_only=True)
class OnnxOptions:
    """How weights are exported.

    Attributes:
        image_size:
            Height and width in pixels; None takes that of the training (``train.yaml`` beside the weights), else 640,
            square.
        dynamic:
            Whether number and size of the images are free.
        half:
            Whether weights, input and output are float16.
        pictures:
            A source of pictures (:func:`trainable.predict.sources.open_source`) to try it on; None takes noise alone.
        data:
            A data.yaml with the class names; None takes those in the weights.
        model:
            Name of the model; None finds it out.

    Raises:
        InputError: ``half`` and ``dynamic`` do not go together, or a size is not above 0.
    """

    image_size: tuple[int, int] | None = None
    dynamic: bool = False
    half: bool = False
    pictures: Path | None = None
    data: Path | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        if self.half and self.dynamic:
            raise InputError("--half and --dynamic do not go together, ONNX has no grid of float16; leave out one.")
        if self.image_size is not None and min(self.image_size) < 1:
            raise InputError(f"--image-size {self.image_size}: give numbers of pixels above 0.")


@dataclass(frozen=True)
class OnnxExport:
    """A finished ONNX file.

    Attributes:
        path:
            The file.
        image_size:
            Height and width of its input in pixels; where they are free, those that it was traced with.
        dynamic, half:
            As asked for.
        megabytes:
            Size in 10^6 bytes.
        check:
            How far it is off PyTorch.
    """

    path: Path
    image_size: tuple[int, int]
    dynamic: bool
    half: bool
    megabytes: float
    check: OnnxCheck

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        values = {**asdict(self), "path": str(self.path), "opset": OPSET}
        return dict(json.loads(json.dumps(values)))  # tuples become lists


def parse_size(text: str) -> tuple[int, int]:
    """Height and width: ``640`` is a square, ``384x640`` is 384 high and 640 wide.

    Raises:
        InputError: It is neither.
    """
    found = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if found is None:
        raise InputError(f"--image-size {text}: give pixels, 640, or height x width, 384x640.")
    return int(found[1]), int(found[2] or found[1])


def export_onnx(weights: str | Path, out: str | Path | None = None, options: OnnxOptions | None = None) -> OnnxExport:
    """Write weights as an ONNX file, once ``onnxruntime`` has said of noise and pictures what PyTorch says.

    Args:
        weights:
            Of YOLOv5 or hypsweep.
        out:
            The file; None puts it beside the weights.
        options:
            How.

    Raises:
        InputError: Weights, options or pictures are wrong.
        WorkFailedError: The file cannot be written, or is off PyTorch; then none is left.
    """
    options, weights = options or OnnxOptions(), Path(weights)
    out = Path(out) if out is not None else weights.with_suffix(SUFFIX)
    if out.suffix.lower() != SUFFIX or not out.parent.is_dir():
        raise InputError(f"{out}: give a file that ends with {SUFFIX}, in a folder that is there.")
    names = None if options.data is None else read_data_yaml(options.data).names
    detector = load_detector(weights, device="cpu", definition=options.model, names=names)
    size = _input_size(detector, options)
    content = onnx_bytes(detector.model, size, _metadata(detector), dynamic=options.dynamic, half=options.half)
    check = _check(content, detector, size, options)
    try:
        write_atomically(out, content)
    except OSError as error:
        raise write_error(f"{out}: the ONNX file cannot be written", error) from error
    return OnnxExport(out, size, options.dynamic, options.half, len(content) / _MEGABYTE, check)


def _input_size(detector: Detector, options: OnnxOptions) -> tuple[int, int]:
    """Height and width in whole strides."""
    trained = trained_image_size(detector.weights) or IMAGE_SIZE
    height, width = options.image_size or (trained, trained)
    return detector.input_size(height)[1], detector.input_size(width)[1]


def _metadata(detector: Detector) -> dict[str, str]:
    """``stride`` and ``names`` as ``yolov5 detect`` reads them, and where the file comes from."""
    return {
        "stride": str(int(detector.model.stride.max())),
        "names": str(dict(enumerate(detector.names))),
        "model": detector.definition,
        "weights_sha256": file_sha256(detector.weights),
        "hypsweep": version("hypsweep"),
    }


def _check(content: bytes, detector: Detector, size: tuple[int, int], options: OnnxOptions) -> OnnxCheck:
    stride, (height, width) = int(detector.model.stride.max()), size
    shapes = [(1, height, width)]
    if options.dynamic:  # more images, the other way round, and a smaller one
        shapes += [(2, height, width), (3, width, height), (1, 2 * stride, 3 * stride)]

    @torch.inference_mode()
    def reference(images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = detector.model(images)[0]
        return found.clone()

    allowed = Tolerance.of(half=options.half, image_size=size)
    return check_onnx(content, reference, _noise(shapes), _pictures(options, size, stride), allowed)


def _noise(shapes: list[tuple[int, int, int]]) -> Iterator[Floats]:
    draw = np.random.default_rng(0)
    for count, height, width in shapes:
        yield draw.random((count, 3, height, width), np.float32)


def _pictures(options: OnnxOptions, size: tuple[int, int], stride: int) -> Iterator[Floats]:
    """A few pictures of a source, spread over it, as ``yolov5 detect`` puts them into the network."""
    if options.pictures is None:
        return
    with open_source(options.pictures) as pictures:
        step = max(pictures.total // PICTURES, 1)
        for load in islice(pictures.loads(), 0, PICTURES * step, step):
            found = load()
            if isinstance(found, Unreadable):
                continue
            boxed = letterbox(found.pixels, size, stride=stride, auto=options.dynamic)[0]
            yield (boxed.transpose(2, 0, 1)[::-1][None] / np.float32(255)).astype(np.float32)
