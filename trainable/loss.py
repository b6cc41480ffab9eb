"""YOLOv5's loss in two halves: which anchors a label belongs to (host, ahead of time), and what the errors are.

Matching needs the labels and the shapes of the predictions, not the predictions, so it can be done while the batch
before is at work; and a GPU that is told the matches is never asked how many there are, which it would have to stop
for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch

from trainable.yolov5_parts import ComputeLoss, DetectionModel, bbox_iou


@dataclass(frozen=True)
class Matches:
    """The anchors that the labels of a batch belong to.

    Attributes:
        cells:
            Shape (5, m), integers: image, anchor, row, column, class; those of all layers, one after the other.
        boxes:
            Shape (m, 6): box relative to its cell (x, y, width, height) and the sides of the anchor, in cells.
        counts:
            Matches of each layer.
    """

    cells: torch.Tensor
    boxes: torch.Tensor
    counts: list[int]

    def to(self, device: torch.device) -> Matches:
        """On ``device``; from pinned memory without waiting for it."""
        return Matches(self.cells.to(device, non_blocking=True), self.boxes.to(device, non_blocking=True), self.counts)

    def pin(self) -> Matches:
        """In memory that a GPU can read by itself."""
        return Matches(self.cells.pin_memory(), self.boxes.pin_memory(), self.counts)


@dataclass(frozen=True)
class _Shape:
    """What YOLOv5's matching asks of a prediction; it reads the rows and columns alone."""

    shape: tuple[int, int, int, int, int]


class Matcher:
    """Matches labels and anchors on the host (``ComputeLoss.build_targets``).

    Args:
        model:
            The model.
        image_size:
            Side of the input in pixels.
    """

    def __init__(self, model: DetectionModel, image_size: int) -> None:
        self._head = head = model.model[-1]
        self._loss = ComputeLoss(model)
        self._loss.device = torch.device("cpu")
        self._grids = [image_size // int(stride) for stride in head.stride]
        self._shape = (head.na, head.no)
        self.refresh()

    def refresh(self) -> None:
        """Take the model's anchors as they are now; a checkpoint that was loaded since may have brought others."""
        self._loss.anchors = self._head.anchors.detach().cpu()

    def match(self, targets: torch.Tensor) -> Matches:
        """Match the targets of a batch, shape (boxes, 6): image, class, xywh normalised."""
        anchors, outputs = self._shape
        shapes = [_Shape((1, anchors, side, side, outputs)) for side in self._grids]
        classes, boxes, cells, sides = self._loss.build_targets(shapes, targets)
        per_layer = [torch.stack((*cell, kind)) for cell, kind in zip(cells, classes, strict=True)]
        return Matches(
            torch.cat(per_layer, 1),
            torch.cat([torch.cat(pair, 1) for pair in zip(boxes, sides, strict=True)]),
            [len(kind) for kind in classes],
        )


class MatchedLoss:
    """The errors of predictions whose matches are known (``ComputeLoss.__call__``).

    Args:
        loss:
            YOLOv5's loss, whose parts and gains are taken.
    """

    def __init__(self, loss: ComputeLoss) -> None:
        self._loss = loss

    def __call__(self, predictions: Sequence[torch.Tensor], matches: Matches) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss to descend, shape (1,), and its three parts without gradient, shape (3,): box, obj, cls.

        Args:
            predictions:
                Per layer, shape (images, anchors, rows, columns, 5 + classes), float32.
            matches:
                On the same device.
        """
        loss, parts = self._loss, []
        layers = zip(
            torch.split(matches.cells, matches.counts, 1), torch.split(matches.boxes, matches.counts), strict=True
        )
        balances = loss.balance[: len(predictions)]  # YOLOv5 lists five for a model of four layers
        for prediction, balance, (cells, boxes) in zip(predictions, balances, layers, strict=True):
            parts.append(self._layer(prediction, cells, boxes, balance))
        gains = [loss.hyp[name] for name in ("box", "obj", "cls")]
        items = torch.stack([sum(column) * gain for column, gain in zip(zip(*parts, strict=True), gains, strict=True)])
        return items.sum().view(1) * predictions[0].shape[0], items.detach()

    def _layer(
        self, prediction: torch.Tensor, cells: torch.Tensor, boxes: torch.Tensor, balance: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Box, objectness and class loss of one layer, each of shape ()."""
        loss = self._loss
        wanted = torch.zeros_like(prediction[..., 4])
        box = cls = prediction.new_zeros(())
        if cells.shape[1]:
            place = (cells[0], cells[1], cells[2], cells[3])
            chosen = prediction[place]
            centre, side, logits = chosen[:, :2], chosen[:, 2:4], chosen[:, 5:]
            found = torch.cat((centre.sigmoid() * 2 - 0.5, (side.sigmoid() * 2) ** 2 * boxes[:, 4:]), 1)
            iou = bbox_iou(found, boxes[:, :4], CIoU=True).squeeze(-1)
            box = (1.0 - iou).mean()
            wanted[place] = iou.detach().clamp(0).type(wanted.dtype)
            if loss.nc > 1:
                right = torch.full_like(logits, loss.cn).scatter_(1, cells[4][:, None], loss.cp)
                cls = loss.BCEcls(logits, right)
        return box, cast("torch.Tensor", loss.BCEobj(prediction[..., 4], wanted)) * balance, cls
