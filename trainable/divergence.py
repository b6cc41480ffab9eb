"""When a training has diverged: what it would go on with is of no use, and its hyperparameters are at fault."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass

import torch
from torch import nn

from data_prep.errors import DivergedError
from trainable.metrics import Losses

EXPLOSION = 100.0
"""A training has diverged where a mean loss is beyond so many times its gain: a mean cross-entropy of so many nats."""
_REMEDY = "lower lr0 or the loss gains."


@dataclass(frozen=True)
class DivergenceCheck:
    """Looks at what an epoch left behind.

    Attributes:
        gains:
            The hyp mapping that the loss is computed with; ``box``, ``obj`` and ``cls`` are its gains.
        lr0:
            For the message.
    """

    gains: Mapping[str, float]
    lr0: float

    def losses(self, mean: torch.Tensor, epoch: int) -> None:
        """Check the mean training losses of ``epoch`` (from 0) so far, shape (3,): box, obj, cls.

        Raises:
            DivergedError: One is NaN or infinite, or has exploded.
        """
        limit = mean.new_tensor([EXPLOSION * self.gains[name] for name in ("box", "obj", "cls")])
        if not bool((mean <= limit).all()):  # NaN is not
            raise self._error(epoch, f"losses {_shown(mean.tolist())}")

    def weights(self, model: nn.Module, epoch: int) -> None:
        """Check the weights: the last step of an epoch can ruin them after its loss was fine.

        Raises:
            DivergedError: One is NaN or infinite; such a model would score 0, not fail.
        """
        if not bool(torch.stack([torch.isfinite(value).all() for value in model.parameters()]).all()):
            raise self._error(epoch, "the weights are no longer finite")

    def validation(self, losses: Losses, epoch: int) -> None:
        """Check the validation losses: finite weights can still overflow on their way through the network.

        Raises:
            DivergedError: One is NaN or infinite. Large ones pass: the averaged statistics of early epochs make them.
        """
        values = astuple(losses)
        if not all(map(math.isfinite, values)):
            raise self._error(epoch, f"validation losses {_shown(values)}")

    def _error(self, epoch: int, found: str) -> DivergedError:
        return DivergedError(f"diverged in epoch {epoch + 1}: {found} (lr0 {self.lr0:g}); {_REMEDY}", epoch)


def _shown(losses: tuple[float, ...] | list[float]) -> str:
    box, obj, cls = losses
    return f"box {box:.4g}, obj {obj:.4g}, cls {cls:.4g}"
