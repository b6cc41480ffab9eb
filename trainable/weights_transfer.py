"""Starting weights into a model: what fits is taken, what does not is said."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from data_prep.errors import InputError
from trainable.yolov5_parts import intersect_dicts

logger = logging.getLogger(__name__)

MIN_SHARE = 0.25
"""Of a model's weights, its output layers aside, that must fit: two models of one family share next to nothing."""
_SHOWN = 8
_WIDTHS = {16: "n", 32: "s", 48: "m", 64: "l", 80: "x"}  # channels of the first convolution
_LAYERS = {24: "", 33: "6"}  # index of the output layer


@dataclass(frozen=True)
class Untaken:
    """A tensor of a model that kept its random start.

    Attributes:
        name:
            Its name in the state_dict.
        reason:
            Why, in a few words.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class TransferReport:
    """What of a checkpoint a model took over.

    Attributes:
        taken, total:
            Tensors that were taken, and that the model has.
        untaken:
            The others.
        share:
            Of the model's weights without its output layers, those taken, in [0, 1].
    """

    taken: int
    total: int
    untaken: tuple[Untaken, ...]
    share: float

    def __str__(self) -> str:
        """One line: "Transferred 342 of 349 tensors; not taken: model.24.m.0.weight (...), ..."."""
        head = f"Transferred {self.taken} of {self.total} tensors"
        if not self.untaken:
            return head
        named = ", ".join(f"{each.name} ({each.reason})" for each in self.untaken[:_SHOWN])
        more = f" and {len(self.untaken) - _SHOWN} more" if len(self.untaken) > _SHOWN else ""
        return f"{head}; not taken: {named}{more}"


def transfer(model: nn.Module, state: Mapping[str, torch.Tensor], *, keep_anchors: bool) -> TransferReport:
    """Copy into ``model`` what fits by name and shape (``yolov5.train``: "Transferred x/y items").

    Args:
        model:
            Changed in place.
        state:
            A state_dict; an anchor buffer in it is not taken when ``keep_anchors`` is set.
        keep_anchors:
            Keep the model's own anchors.

    Returns:
        What was taken and what was not.
    """
    mine = model.state_dict()
    fitting = intersect_dicts(state, mine, exclude=["anchor"] if keep_anchors else [])
    model.load_state_dict(fitting, strict=False)
    untaken = tuple(Untaken(name, _reason(name, value, state)) for name, value in mine.items() if name not in fitting)
    inner = {name: value.numel() for name, value in mine.items() if not name.startswith(f"model.{last_layer(mine)}.")}
    share = sum(count for name, count in inner.items() if name in fitting) / max(sum(inner.values()), 1)
    return TransferReport(len(fitting), len(mine), untaken, share)


def start_from(
    model: nn.Module, state: Mapping[str, torch.Tensor], *, keep_anchors: bool, weights: str, name: str
) -> TransferReport:
    """Start a training from weights: :func:`transfer`, with a line in the log, and a refusal of another model's.

    Args:
        model:
            Changed in place.
        state:
            A state_dict.
        keep_anchors:
            Keep the model's own anchors.
        weights:
            The file, for the messages.
        name:
            The model's name, for the messages.

    Returns:
        What was taken and what was not.

    Raises:
        InputError: Hardly anything fits, so the training would start from noise.
    """
    report = transfer(model, state, keep_anchors=keep_anchors)
    if report.share < MIN_SHARE:
        theirs = guess_model(state)
        hint = f"it holds weights of {theirs}; " if theirs not in (None, name) else ""
        raise InputError(
            f"{weights}: too little of it fits {name} ({report.taken} of {report.total} tensors, {report.share:.0%} of "
            f"the weights); {hint}give weights of {name}, or change train.model."
        )
    logger.log(logging.WARNING if report.untaken else logging.INFO, "%s: %s", weights, report)
    return report


def guess_model(state: Mapping[str, torch.Tensor]) -> str | None:
    """The official YOLOv5 detector that a state_dict looks like by its first and last layer, or None."""
    first = state.get("model.0.conv.weight")
    if first is None or first.ndim != 4:
        return None
    size, suffix = _WIDTHS.get(first.shape[0]), _LAYERS.get(last_layer(state))
    return None if size is None or suffix is None else f"yolov5{size}{suffix}"


def last_layer(state: Mapping[str, torch.Tensor]) -> int:
    """Index of the last layer, the one whose shape depends on the classes."""
    parts = [name.split(".") for name in state]
    return max((int(part[1]) for part in parts if len(part) > 1 and part[1].isdecimal()), default=-1)


def _reason(name: str, value: torch.Tensor, state: Mapping[str, torch.Tensor]) -> str:
    if name not in state:
        return "not in the file"
    if state[name].shape != value.shape:
        return f"{_shape(state[name])} there, {_shape(value)} here"
    return "own anchors kept"


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(str(length) for length in tensor.shape) or "one number"
