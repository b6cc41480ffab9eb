"""Weights in and out: the tensors of any YOLOv5 checkpoint, and the stripped file that stock YOLOv5 reads.

Loading runs nothing: the file is gone through first (:mod:`trainable.weights_archive` and
:mod:`trainable.weights_pickle`), then ``torch.load(weights_only=True)`` puts stand-ins in the place of YOLOv5's
classes. The model is always built from the definition that ships with the yolov5 package, never from the YAML inside a
checkpoint, because ``parse_model`` evaluates the strings of that YAML.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import nn

from data_prep.durable import replacing
from data_prep.errors import InputError
from data_prep.names import check_class_names
from data_prep.text import printable
from trainable.models import model_names, model_yaml
from trainable.weights_archive import open_archive
from trainable.weights_pickle import ARRAYS, check_pickle
from trainable.weights_transfer import TransferReport, transfer
from trainable.yolov5_parts import DetectionModel, default_activation_kept, pickled_classes, version

__all__ = ["Checkpoint", "TransferReport", "build_model", "load_checkpoint", "load_state", "save_stripped", "transfer"]

# torch modules that YOLOv5's own classes are made of.
TORCH_CLASSES = (
    nn.AvgPool2d, nn.BatchNorm2d, nn.Conv2d, nn.ConvTranspose2d, nn.Dropout, nn.Hardswish, nn.Identity, nn.LayerNorm,
    nn.LeakyReLU, nn.Linear, nn.MaxPool2d, nn.ModuleList, nn.MultiheadAttention, nn.ReLU, nn.ReLU6, nn.Sequential,
    nn.SiLU, nn.Sigmoid, nn.Upsample, nn.ZeroPad2d, nn.modules.linear.NonDynamicallyQuantizableLinear,
)  # fmt: skip
MAX_DEPTH = 32  # of modules in modules; YOLOv5 has 7
MAX_MODULES = 20_000  # yolov5x6 has 1100


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
    with default_activation_kept():
        return DetectionModel(str(definition), ch=3, nc=class_count, anchors=anchors)


@dataclass(frozen=True)
class Checkpoint:
    """What a YOLOv5 checkpoint holds of a detector.

    Attributes:
        state:
            The float32 state_dict.
        names:
            Class names; None where it has none that tell classes apart (a plain state_dict has none).
        definition:
            Name of the definition that the model was built from, ``yolov5n``; None where it does not say.
    """

    state: dict[str, torch.Tensor]
    names: tuple[str, ...] | None
    definition: str | None


def load_state(path: str | Path) -> dict[str, torch.Tensor]:
    """The float32 state_dict of a YOLOv5 checkpoint; see :func:`load_checkpoint`.

    Raises:
        InputError: As :func:`load_checkpoint`.
    """
    return load_checkpoint(path).state


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a YOLOv5 checkpoint: official, our own stripped one, or a plain state_dict.

    Raises:
        InputError: The file is missing, holds no YOLOv5 weights or does anything else than hold weights, or they are
            NaN or infinite.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # to open a FIFO would be to wait for it
        raise InputError(f"{path}: the weights are no file; give the path of a .pt file.")
    try:
        found = _found(_load(path))
        state = dict(_dense(name, value) for name, value in _tensors(found))
        _check_overlap(state.values())  # before anything is computed with them
        _check_finite(state)
        state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        return Checkpoint(state, _names(found), _definition(found))
    except FileNotFoundError as error:
        raise InputError(f"{path}: the weights cannot be read (there is no such file); correct the path.") from error
    # A damaged or foreign file makes zipfile and torch raise nearly anything; nothing of it has been run.
    except Exception as error:
        lines = str(error).strip().splitlines()
        reason = printable(lines[0][:160]) if lines else type(error).__name__
        raise InputError(
            f"{path}: is no YOLOv5 checkpoint ({reason}); give a .pt file of YOLOv5 or hypsweep."
        ) from error


def save_stripped(model: nn.Module, path: str | Path) -> int:
    """Write ``model`` in fp16 as YOLOv5's ``strip_optimizer`` leaves it: a pickled module that stock YOLOv5 reads.

    Returns:
        The size of the file in bytes.
    """
    half = deepcopy(model).to(memory_format=torch.contiguous_format).half().eval()
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
    with replacing(Path(path)) as file:
        torch.save(content, file)
    return Path(path).stat().st_size


class _StandIn:
    """Takes the place of every class that a checkpoint names: it keeps the state and does nothing with it."""

    state: Mapping[str, Any] = {}

    def __new__(cls, *_: object) -> _StandIn:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        """Without effect, whatever the arguments."""

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, dict) else {}

    def children(self, kind: str) -> dict[str, Any]:
        """One of the tables of an ``nn.Module``: ``_parameters``, ``_buffers``, ``_modules``."""
        table = self.state.get(kind, {})
        if not isinstance(table, dict) or not all(type(name) is str for name in table):
            raise ValueError(f"a module's {kind} is no table")
        return table


def _load(path: Path) -> object:
    classes = {name for _, name in pickled_classes()} | {f"{cls.__module__}.{cls.__name__}" for cls in TORCH_CLASSES}
    with path.open("rb") as file:
        archive = open_archive(file)
        named = check_pickle(archive.pickle, archive.storages, classes)
        # Only those it names: torch goes through the whole list at every module.
        stand_ins: list[Any] = [(_StandIn, name) for name in sorted(named & (classes | ARRAYS))]
        file.seek(0)
        with torch.serialization.safe_globals(stand_ins):
            return torch.load(file, map_location="cpu", weights_only=True)


def _found(checkpoint: object) -> object:
    """What of a checkpoint holds the weights: a module's stand-in or a state_dict."""
    if not isinstance(checkpoint, dict):
        return checkpoint
    held = (checkpoint.get(key) for key in ("model", "ema"))
    return next((value for value in held if value is not None), checkpoint)


def _names(found: object) -> tuple[str, ...] | None:
    """The class names that YOLOv5 keeps on its models: a list, or a mapping from 0, 1, 2 ..."""
    names = found.state.get("names") if isinstance(found, _StandIn) else None
    if isinstance(names, dict):
        names = [names.get(index) for index in range(len(names))]
    try:
        return check_class_names(names) if isinstance(names, list) and names else None
    except ValueError:
        return None


def _definition(found: object) -> str | None:
    """YOLOv5 keeps the file name of the definition on its models."""
    file = found.state.get("yaml_file") if isinstance(found, _StandIn) else None
    return file.removesuffix(".yaml") if isinstance(file, str) else None


def _tensors(found: object) -> list[tuple[Any, Any]]:
    """The entries of a state_dict, found without calling anything of it."""
    entries: list[tuple[Any, Any]] = []
    if isinstance(found, _StandIn):
        entries = list(_walk(found, "", 0, count()))
    elif isinstance(found, dict):
        entries = list(found.items())
    if not any(str(key).startswith("model.") for key, _ in entries):
        raise ValueError("it holds neither a model nor a state_dict of one")
    return entries


def _walk(module: _StandIn, prefix: str, depth: int, visited: Iterator[int]) -> Iterator[tuple[str, Any]]:
    """What ``nn.Module.state_dict`` would give, in its order."""
    if depth > MAX_DEPTH or next(visited) > MAX_MODULES:
        raise ValueError("its modules are nested too deeply or too many")
    passing = module.state.get("_non_persistent_buffers_set", ())
    for kind, left_out in (("_parameters", ()), ("_buffers", passing)):
        for name, value in module.children(kind).items():
            if value is not None and name not in left_out:
                yield prefix + name, value
    for name, child in module.children("_modules").items():
        if isinstance(child, _StandIn):
            yield from _walk(child, f"{prefix}{name}.", depth + 1, visited)
        elif child is not None:
            raise ValueError(f"its {printable(prefix + name)[:80]} is no module")


def _dense(name: object, value: object) -> tuple[str, torch.Tensor]:
    if type(name) is not str or not isinstance(value, torch.Tensor):
        raise ValueError(f"{printable(str(name)[:80])} is no tensor")
    return name, value.detach()


def _check_overlap(tensors: Collection[torch.Tensor]) -> None:
    """Refuse views that say few stored numbers many times: copies of them would fill the memory."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    if sum(tensor.nbytes for tensor in tensors) > sum(storages.values()):
        raise ValueError("its tensors overlap")


def _check_finite(state: Mapping[str, torch.Tensor]) -> None:
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            shown = printable(name[:80])
            raise ValueError(f"{shown} is NaN or infinite: the training that wrote it had diverged")
