"""A trained detector out of a weights file alone: model, class names, and what stands beside it of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data_prep.errors import InputError
from data_prep.files import read_yaml_mapping
from data_prep.names import shown
from trainable.models import model_names
from trainable.parts import attach, input_size, select_device
from trainable.weights import Checkpoint, build_model, load_checkpoint, transfer
from trainable.weights_transfer import guess_model, last_layer
from trainable.yolov5_parts import DetectionModel

TRAIN = "train.yaml"
"""What ``hypsweep promote`` writes beside weights: the settings of their training."""
IMAGE_SIZE = 640
"""Image size of a detector that nobody knows more of, as in ``yolov5 detect``."""


@dataclass(frozen=True)
class Detector:
    """A model in evaluation mode, ready to predict.

    Attributes:
        weights:
            The file it was read from.
        model:
            Float32, on ``device``.
        definition:
            ``yolov5n`` ... ``yolov5x6``.
        names:
            Class names; class ids index them.
        device:
            Where it computes.
    """

    weights: Path
    model: DetectionModel
    definition: str
    names: tuple[str, ...]
    device: torch.device

    def input_size(self, image_size: int) -> tuple[int, int]:
        """The largest stride, and the image size as a multiple of it, in pixels."""
        return input_size(self.model, image_size)


def load_detector(
    weights: str | Path, *, device: str = "auto", definition: str | None = None, names: tuple[str, ...] | None = None
) -> Detector:
    """Build the model that a weights file belongs to, with its weights in it.

    The model comes from a definition of the yolov5 package: the one that is asked for, that the weights name, that
    ``train.yaml`` beside them names, or that they look like. All of its tensors must be in the file.

    Args:
        weights:
            A checkpoint of YOLOv5 or hypsweep, or a plain state_dict.
        device:
            ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        definition:
            Name of the model; None finds it out.
        names:
            Class names; None takes those in the weights.

    Raises:
        InputError: The file holds no weights, those of no known model, or those of another number of classes; or the
            device is not there.
    """
    place = select_device(device, "--device")
    path = Path(weights)
    checkpoint = load_checkpoint(path)
    chosen = definition or _definition(path, checkpoint)
    anchors, classes = _head(path, checkpoint.state)
    model = build_model(chosen, classes, anchors)
    report = transfer(model, checkpoint.state, keep_anchors=False)
    if report.untaken:
        raise InputError(
            f"{path}: {len(report.untaken)} of {report.total} tensors do not fit {chosen} with {classes} classes; "
            "name the model that they belong to by --model."
        )
    named = _class_names(path, checkpoint, classes, names)
    attach(model, {}, named)
    return Detector(path, model.to(place).eval(), chosen, named, place)


def trained_with(weights: str | Path) -> Mapping[str, Any]:
    """The settings of the training that made weights, from ``train.yaml`` beside them; empty where there is none.

    Raises:
        InputError: It is there and no YAML of keys and values.
    """
    path = Path(weights).with_name(TRAIN)
    return read_yaml_mapping(path) if path.is_file() else {}


def trained_image_size(weights: str | Path) -> int | None:
    """The image size that weights were trained at, from ``train.yaml`` beside them; None where it does not say."""
    size = trained_with(weights).get("image_size")
    return size if type(size) is int and size > 0 else None


def _definition(path: Path, checkpoint: Checkpoint) -> str:
    known = model_names()
    stated = (checkpoint.definition, trained_with(path).get("model"))
    found = next((name for name in stated if name in known), None) or guess_model(checkpoint.state)
    if found is None:
        raise InputError(f"{path}: it is not to be seen which model the weights belong to; name it by --model.")
    return found


def _head(path: Path, state: Mapping[str, torch.Tensor]) -> tuple[float | None, int]:
    """Anchors per output layer (None for the definition's own) and classes, by the shapes of the output layers.

    An output layer has for each anchor a box (4), objectness (1) and the classes (``yolov5.models.yolo.Detect``).
    """
    head = f"model.{last_layer(state)}"
    weight, anchors = state.get(f"{head}.m.0.weight"), state.get(f"{head}.anchors")
    if weight is None or anchors is None or anchors.ndim != 3 or not anchors.shape[1]:
        raise InputError(f"{path}: the weights have no output layer of a YOLOv5 detector; give a detector's weights.")
    count = anchors.shape[1]
    classes, rest = divmod(weight.shape[0], count)
    if rest or classes <= 5:
        raise InputError(f"{path}: its output layer of {weight.shape[0]} channels fits no number of classes.")
    return float(count), classes - 5


def _class_names(path: Path, checkpoint: Checkpoint, classes: int, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    names = wanted or checkpoint.names
    if names is None:
        raise InputError(f"{path}: the weights have no class names; give the data.yaml that has them by --data.")
    if len(names) != classes:
        source = "the data.yaml has" if wanted else "its list of names has"
        raise InputError(
            f"{path}: the weights tell {classes} classes apart and {source} {len(names)} names; give the data.yaml "
            "that they were trained with."
        )
    if checkpoint.names is not None and names != checkpoint.names and set(names) == set(checkpoint.names):
        raise InputError(
            f"{path}: the weights have the classes {shown(', '.join(checkpoint.names))} and the data.yaml has them in "
            "another order, so that one would pass for the other; put them in the order of the weights."
        )
    return names
