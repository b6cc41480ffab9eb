"""``hypsweep predict``: one picture after the other through the network, NMS and into the sinks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError
from data_prep.progress import Progress, silent
from data_prep.text import printable
from trainable.detector import IMAGE_SIZE, Detector, load_detector, trained_image_size
from trainable.nms import DETECT, NmsSettings, suppress
from trainable.precision import Precision
from trainable.predict.pictures import picture_sink
from trainable.predict.sinks import (
    Predicted,
    Sink,
    coco_sink,
    csv_sink,
    format_of,
    refuse_clashes,
    yolo_sink,
)
from trainable.predict.sources import Load, Picture, Pictures, Unreadable, open_source
from trainable.prefetch import prefetch
from trainable.yolov5_parts import letterbox, scale_boxes

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """How pictures are predicted.

    Attributes:
        settings:
            What is taken for a detection; the defaults are those of ``yolov5 detect``.
        image_size:
            Longer side of the network's input in pixels; None takes that of the training (``train.yaml`` beside the
            weights), else 640.
        form:
            ``csv``, ``yolo`` or ``coco``; None goes by the suffix of the file.
        pictures:
            Folder for pictures with the boxes drawn in; None draws none.
        split:
            Of a data.yaml.
        data:
            A data.yaml with the class names; None takes those in the weights.
        model:
            Name of the model; None finds it out.
        device:
            ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """

    settings: NmsSettings = DETECT
    image_size: int | None = None
    form: str | None = None
    pictures: Path | None = None
    split: str | None = None
    data: Path | None = None
    model: str | None = None
    device: str = "auto"


class Summary(NamedTuple):
    """What was predicted.

    Attributes:
        pictures:
            Pictures that were predicted.
        boxes:
            Their boxes.
        unreadable:
            The files that could not be read.
        image_size:
            Longer side of the network's input in pixels.
    """

    pictures: int
    boxes: int
    unreadable: tuple[str, ...]
    image_size: int


def predict(
    weights: str | Path,
    source: str | Path,
    out: str | Path,
    options: PredictOptions | None = None,
    progress: Progress = silent,
) -> Summary:
    """Predict the boxes of pictures and write them to a file.

    As ``yolov5 detect``: letterbox, network in float32, NMS, back to the pixels of the picture; but a box may be of
    more than one class unless ``agnostic`` (as in ``yolov5 val``, so that thresholds mean what they were chosen for),
    and boxes are not rounded to whole pixels. A picture that cannot be read is named in a warning and left out.

    Args:
        weights:
            Of YOLOv5 or hypsweep.
        source:
            Folder, archive, ``.txt`` list, data.yaml, video or picture.
        out:
            File (``csv``, ``coco``) or folder (``yolo``); it appears when all is done.
        options:
            How.
        progress:
            Told of each picture, as stage ``predict``.

    Raises:
        InputError: Weights, source or an option are wrong, or no picture can be read.
        WorkFailedError: Something cannot be written.
    """
    options, out = options or PredictOptions(), Path(out)
    form = format_of(out, options.form)
    with open_source(Path(source), options.split) as pictures, ExitStack() as stack:
        if form == "yolo" or options.pictures is not None:
            refuse_clashes(pictures.names)
        names = None if options.data is None else read_data_yaml(options.data).names
        detector = load_detector(weights, device=options.device, definition=options.model, names=names)
        size = options.image_size or trained_image_size(weights) or IMAGE_SIZE
        sinks = [stack.enter_context(sink) for sink in _sinks(form, out, options.pictures, detector)]
        return _run(detector, pictures, sinks, options.settings, size, progress)


def _sinks(form: str, out: Path, pictures: Path | None, detector: Detector) -> Iterator[AbstractContextManager[Sink]]:
    if form == "csv":
        yield csv_sink(out, detector.names)
    else:
        yield coco_sink(out) if form == "coco" else yolo_sink(out)
    if pictures is not None:
        yield picture_sink(pictures, detector.names)


def _run(
    detector: Detector,
    pictures: Pictures,
    sinks: list[Sink],
    settings: NmsSettings,
    image_size: int,
    progress: Progress,
) -> Summary:
    stride, size = detector.input_size(image_size)
    done, boxes, unreadable = 0, 0, []
    for found in prefetch(preparing(size, stride), pictures.loads()):
        if isinstance(found, Unreadable):
            unreadable.append(found.source)
            logger.warning("%s: left out: it %s", printable(found.source), found.reason)
        else:
            predicted = detect(detector, *found, settings)
            for sink in sinks:
                sink(predicted)
            boxes += len(predicted.boxes)
            done += 1
        progress("predict", done + len(unreadable), max(pictures.total, done + len(unreadable)))
    if not done:
        raise InputError(f"{unreadable[0]} and all other pictures cannot be read; nothing was written.")
    return Summary(done, boxes, tuple(unreadable), size)


class Prepared(NamedTuple):
    """A picture and what the network sees of it, shape (1, 3, h, w), uint8, RGB."""

    picture: Picture
    pixels: torch.Tensor


def preparing(size: int, stride: int) -> Callable[[Load], Prepared | Unreadable]:
    """Reads a picture and brings it to the least shape of whole strides, as ``yolov5 detect`` does."""

    def prepare(load: Load) -> Prepared | Unreadable:
        found = load()
        if isinstance(found, Unreadable):
            return found
        height, width = found.pixels.shape[:2]
        if round(min(height, width) * size / max(height, width)) < 1:
            return Unreadable(found.name, f"is {width}x{height} and would have no pixel left at {size} pixels")
        boxed = letterbox(found.pixels, size, stride=stride, auto=True)[0]
        return Prepared(found, torch.from_numpy(np.ascontiguousarray(boxed.transpose(2, 0, 1)[::-1]))[None])

    return prepare


@torch.inference_mode()
def forward(detector: Detector, pixels: torch.Tensor) -> torch.Tensor:
    """What the network says of one picture, before NMS.

    Args:
        detector:
            The model.
        pixels:
            Shape (1, 3, h, w), uint8.

    Returns:
        Shape (candidates, 5 + classes), float32: xywh in pixels of the input, objectness, class probabilities.
    """
    precision = Precision(detector.device)
    with precision.computing(detector.model):
        prediction: torch.Tensor = detector.model(precision.pixels(pixels))[0][0].float()
    return prediction


@torch.inference_mode()
def detect(detector: Detector, picture: Picture, pixels: torch.Tensor, settings: NmsSettings) -> Predicted:
    """The detections of one picture.

    Args:
        detector:
            The model.
        picture:
            The picture.
        pixels:
            Shape (1, 3, h, w), uint8: what the network sees of it.
        settings:
            What is taken for a detection.
    """
    found = suppress(forward(detector, pixels), settings).cpu()
    boxes = scale_boxes(pixels.shape[2:], found[:, :4].clone(), picture.pixels.shape)
    return Predicted(picture, boxes.numpy(), found[:, 4].numpy(), found[:, 5].numpy().astype(np.int64))
