"""Weights in and out: allow-listed loading of any YOLOv5 checkpoint, and the stripped file that stock YOLOv5 reads.

Loading runs nothing: ``torch.load(weights_only=True)`` with an allow-list of the classes that a YOLOv5 checkpoint
names, and the model is always built from the definition that ships with the yolov5 package, never from the YAML
inside a checkpoint, because ``parse_model`` evaluates the strings of that YAML.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from data_prep.errors import InputError
from data_prep.files import write_atomically
from trainable.models import model_names, model_yaml
from trainable.yolov5_parts import DetectionModel, intersect_dicts, pickled_classes, version

# torch modules that YOLOv5's own classes are made of, and what a pickled `class_weights` array needs.
TORCH_CLASSES = (
    nn.AvgPool2d, nn.BatchNorm2d, nn.Conv2d, nn.ConvTranspose2d, nn.Dropout, nn.Hardswish, nn.Identity, nn.LayerNorm,
    nn.LeakyReLU, nn.Linear, nn.MaxPool2d, nn.ModuleList, nn.MultiheadAttention, nn.ReLU, nn.ReLU6, nn.Sequential,
    nn.SiLU, nn.Sigmoid, nn.Upsample, nn.ZeroPad2d,
)  # fmt: skip


def build_model(name: str, class_count: int, anchors: float | None = None) -> DetectionModel:
    """A YOLOv5 detection model with random weights from torch's global random stream.

    Args:
        name:
            ``yolov5n`` ... ``yolov5x6``.
        class_count:
            Number of classes.
        anchors:
            Anchors per output layer; None keeps the definition's.

    Raises:
        InputError: The yolov5 package has no model of that name, or ``anchors`` rounds to none.
    """
    definition = model_yaml(name)
    if definition is None:
        raise InputError(f"train.model is {name!r}: the yolov5 package has {', '.join(model_names())}.")
    if anchors and round(anchors) < 1:
        raise InputError(f"hyp `anchors` is {anchors}: give at least 1 per output layer, or 0 for the model's own.")
    return DetectionModel(str(definition), ch=3, nc=class_count, anchors=anchors)


def load_state(path: str | Path) -> dict[str, torch.Tensor]:
    """The float32 state_dict of a YOLOv5 checkpoint: official, our own stripped one, or a plain state_dict.

    Raises:
        InputError: The file is missing, or holds no YOLOv5 weights, or names classes that no YOLOv5 checkpoint needs.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: the weights cannot be read ({error.strerror}); give the path of a .pt file."
        ) from error
    try:
        with torch.serialization.safe_globals(_allowed()):
            checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        state = _state_dict(checkpoint)
    # A damaged or foreign file makes torch's unpickler raise nearly anything; nothing of it has been run.
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{path}: is no YOLOv5 checkpoint ({reason}); give a .pt file of YOLOv5 or hypsweep."
        ) from error
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def transfer(model: nn.Module, state: Mapping[str, torch.Tensor], *, keep_anchors: bool) -> tuple[int, int]:
    """Copy into ``model`` what fits by name and shape (``yolov5.train``: "Transferred x/y items").

    Args:
        model:
            Changed in place.
        state:
            A state_dict; an anchor buffer in it is not taken when ``keep_anchors`` is set.
        keep_anchors:
            Keep the model's own anchors.

    Returns:
        How many items were taken, and how many the model has.
    """
    fitting = intersect_dicts(state, model.state_dict(), exclude=["anchor"] if keep_anchors else [])
    model.load_state_dict(fitting, strict=False)
    return len(fitting), len(model.state_dict())


def save_stripped(model: nn.Module, path: str | Path) -> int:
    """Write ``model`` in fp16 as YOLOv5's ``strip_optimizer`` leaves it: a pickled module that stock YOLOv5 reads.

    Returns:
        The size of the file in bytes.
    """
    half = deepcopy(model).half().eval()
    for parameter in half.parameters():
        parameter.requires_grad = False
    content = {
        "epoch": -1,
        "best_fitness": None,
        "model": half,
        "ema": None,
        "updates": None,
        "optimizer": None,
        "date": datetime.now(UTC).isoformat(),
        "yolov5pip_version": version(),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(Path(path), buffer.getvalue())
    return buffer.getbuffer().nbytes


def _allowed() -> list[Any]:
    arrays = [
        np.ndarray,
        np.dtype,
        type(np.dtype(np.float64)),
        type(np.dtype(np.float32)),
        type(np.dtype(np.int64)),
    ]
    # numpy moved the function; checkpoints name it by its old place.
    reconstruct = np.zeros(1).__reduce__()[0]
    moved = [
        (reconstruct, "numpy.core.multiarray._reconstruct"),
        (reconstruct, "numpy._core.multiarray._reconstruct"),
    ]
    return [*pickled_classes(), *TORCH_CLASSES, *arrays, *moved]


def _state_dict(checkpoint: object) -> dict[str, torch.Tensor]:
    if isinstance(checkpoint, dict) and isinstance(checkpoint.get("model"), nn.Module):
        return cast("dict[str, torch.Tensor]", checkpoint["model"].state_dict())
    if isinstance(checkpoint, dict) and isinstance(checkpoint.get("ema"), nn.Module):
        return cast("dict[str, torch.Tensor]", checkpoint["ema"].state_dict())
    if isinstance(checkpoint, dict) and any(str(key).startswith("model.") for key in checkpoint):
        tensors = {key: value for key, value in checkpoint.items() if isinstance(value, torch.Tensor)}
        if len(tensors) == len(checkpoint):
            return tensors
    raise ValueError("it holds neither a model nor a state_dict of one")
