"""The forward pass of a training batch, up to its loss: as YOLOv5 computes it, and the fast way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn

from trainable.batches import Batch
from trainable.loss import MatchedLoss, Matches
from trainable.precision import Precision
from trainable.yolov5_parts import ComputeLoss, DetectionModel


class MatchedBatch(NamedTuple):
    """A training batch whose labels are matched with anchors.

    Attributes:
        images:
            Shape (n, 3, h, w), uint8, RGB.
        matches:
            The anchors that the labels belong to.
    """

    images: torch.Tensor
    matches: Matches


class Forward(Protocol):
    """Computes the loss of a batch."""

    def __call__(self, batch: Any, /) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401  # each path has its own
        """The loss to descend, shape (1,), and its parts without gradient, shape (3,): box, obj, cls."""


@dataclass(frozen=True)
class ExactForward:
    """The statements of ``yolov5.train.train``.

    Attributes:
        model, loss, precision:
            What computes.
        joined:
            The model as several workers train it together, see :meth:`trainable.replicas.Replicas.joined`.
    """

    model: DetectionModel
    loss: ComputeLoss
    precision: Precision
    joined: nn.Module | None = None

    def __call__(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`Forward`."""
        images, targets, _, _ = batch
        pixels = self.precision.pixels(images)
        with self.precision.computing(self.model):
            loss, items = self.loss((self.joined or self.model)(pixels), targets.to(self.precision.device))
        return loss, items


@dataclass(frozen=True)
class FastForward:
    """The same with matches made ahead of time, and without a moment at which a GPU has to be waited for.

    Attributes: see :class:`ExactForward`.
    """

    model: DetectionModel
    loss: MatchedLoss
    precision: Precision
    joined: nn.Module | None = None

    def __call__(self, batch: MatchedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`Forward`."""
        pixels, matches = self.precision.pixels(batch.images), batch.matches.to(self.precision.device)
        with self.precision.computing(self.model):
            return self.loss((self.joined or self.model)(pixels), matches)
