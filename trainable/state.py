"""What the parts of a training carry from one epoch to the next, taken out and put back."""

from __future__ import annotations

from typing import Any

import torch

from trainable.parts import TrainingParts

CARRIED = ("params", "momentum", "betas")
"""What the optimizer's groups keep of a checkpoint; the rest is the hyp's and the settings', or set at each epoch."""


def capture(parts: TrainingParts) -> dict[str, Any]:
    """The state of all parts, as tensors and plain numbers; the tensors are the parts' own, not copies."""
    head = parts.ema.ema.model[-1]
    return {
        "model": parts.model.state_dict(),
        "ema": parts.ema.ema.state_dict(),
        "ema_updates": parts.ema.updates,
        # YOLOv5's head keeps the anchors of its last validation; only a change of the image shape renews them.
        "ema_grid": list(head.grid),
        "ema_anchor_grid": list(head.anchor_grid),
        "optimizer": parts.optimizer.state_dict(),
        "scaler": parts.scaler.state_dict(),
        "data": parts.train.state_dict(),
    }


def restore(parts: TrainingParts, state: dict[str, Any]) -> None:
    """Put back what :func:`capture` took of parts that were built in the same way."""
    head = parts.ema.ema.model[-1]
    parts.model.load_state_dict(state["model"])
    parts.ema.ema.load_state_dict(state["ema"])
    parts.ema.updates = state["ema_updates"]
    head.grid = [grid.to(parts.device) for grid in state["ema_grid"]]
    head.anchor_grid = [grid.to(parts.device) for grid in state["ema_anchor_grid"]]
    _restore_optimizer(parts.optimizer, state["optimizer"])
    if state["scaler"]:  # empty where the first half ran without mixed precision, on a CPU say
        parts.scaler.load_state_dict(state["scaler"])
    parts.train.load_state_dict(state["data"])


def _restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    own = [{name: value for name, value in group.items() if name not in CARRIED} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, mine in zip(optimizer.param_groups, own, strict=True):
        group.update(mine)


def to_host(state: Any) -> Any:  # noqa: ANN401  # nested mappings and lists of tensors and numbers
    """A copy of a state in the host's memory."""
    if isinstance(state, torch.Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: to_host(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(to_host(value) for value in state)
    return state
