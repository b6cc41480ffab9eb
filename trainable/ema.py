"""YOLOv5's moving average of the weights, updated in two calls instead of three for each tensor."""

from __future__ import annotations

import torch
from torch import nn

from trainable.yolov5_parts import ModelEMA


class ForeachEMA(ModelEMA):  # type: ignore[misc]  # yolov5 ships no types
    """``ModelEMA`` over all tensors at once; the last bit may differ, because a sum of products is rounded once.

    Always updated with one model, whose tensors stay the same objects from the first update on: looking them up takes
    longer than the update.
    """

    _pairs: tuple[list[torch.Tensor], list[torch.Tensor]] | None = None

    def update(self, model: nn.Module) -> None:
        """Move the average towards ``model``."""
        if self._pairs is None:
            self._pairs = _floating(self.ema), _floating(model)
        averages, values = self._pairs
        self.updates += 1
        decay = self.decay(self.updates)
        torch._foreach_mul_(averages, decay)  # what torch.optim is made of; there is no public name
        torch._foreach_add_(averages, values, alpha=1 - decay)


def _floating(model: nn.Module) -> list[torch.Tensor]:
    """Parameters and buffers that are no counters, in the order of the modules."""
    tensors = [*model.parameters(), *model.buffers()]
    return [tensor.detach() for tensor in tensors if tensor.is_floating_point()]
