"""Validation of a model, as ``yolov5.val.run`` does it after each epoch, with mAP75 and figures per class beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from trainable.batches import Batch
from trainable.matching import match_detections
from trainable.metrics import Evaluation, Losses, evaluate_matches
from trainable.nms import suppress
from trainable.precision import Precision
from trainable.prefetch import prefetch
from trainable.yolov5_parts import DetectionModel, scale_boxes, xywh2xyxy

IOU_LEVELS = torch.linspace(0.5, 0.95, 10).numpy()

Match = tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Of one image: correct (predictions, 10) bool, confidence, predicted class (predictions,), label class (labels,)."""


Letterbox = tuple[tuple[int, int], tuple[tuple[float, float], tuple[float, float]]]
"""Of one image: its original (h, w); by what factors (h, w) it was resized and what padding (w, h) was added."""


def evaluate(
    model: DetectionModel,
    batches: Iterable[Batch],
    compute_loss: Any,  # noqa: ANN401  # yolov5 ships no types
    names: Sequence[str],
    precision: Precision,
) -> Evaluation:
    """Judge ``model`` on ``batches``.

    Differs from ``yolov5.val.run`` in three points, none of which changes a figure in float32: NMS has no time limit
    over a batch (YOLOv5's drops the predictions of the images that come after half a second, so a busy machine
    changes its mAP), mixed precision leaves the model's own weights as they are (YOLOv5 rounds the EMA to fp16 in
    place), and nothing is written.

    Args:
        model:
            A YOLOv5 detection model on the device of ``precision``; left in evaluation mode.
        batches:
            The validation batches.
        compute_loss:
            YOLOv5's loss.
        names:
            Class names.
        precision:
            Where and in which precision to compute.

    Returns:
        Metrics over all classes and per class, and the losses.
    """
    model.eval()
    losses, count = torch.zeros(3, device=precision.device), 0

    def forward() -> Iterator[Predicted]:
        nonlocal losses, count
        for images, labels, _, shapes in batches:
            pixels, targets = precision.pixels(images), labels.to(precision.device)
            with precision.computing(model):
                predictions, layers = model(pixels)
            losses = losses + compute_loss([layer.float() for layer in layers], targets)[1]
            count += 1
            yield Predicted(predictions.float(), labels, pixels.shape[2:], shapes)

    empty = np.zeros(0, np.float32)
    matches: list[Match] = [(np.zeros((0, len(IOU_LEVELS)), bool), empty, empty, empty)]
    with torch.inference_mode():
        for found in prefetch(_match_batch, forward()):  # while the network is at the next batch
            matches += found
    correct, confidence, predicted, labelled = (np.concatenate(column) for column in zip(*matches, strict=True))
    overall, per_class = evaluate_matches(correct, confidence, predicted, labelled, names)
    return Evaluation(overall, per_class, Losses(*(losses / max(count, 1)).tolist()))


class Predicted(NamedTuple):
    """A validation batch after the network.

    Attributes:
        predictions:
            Shape (images, candidates, 5 + classes), float32.
        labels:
            Shape (boxes, 6): image, class, xywh normalised; on the host.
        size:
            Height and width of the input in pixels.
        shapes:
            How each image was brought to that size.
    """

    predictions: torch.Tensor
    labels: torch.Tensor
    size: torch.Size
    shapes: Sequence[Letterbox]


@torch.inference_mode()
def _match_batch(batch: Predicted) -> list[Match]:
    """Match the predictions of one batch to its labels, per image."""
    height, width = batch.size
    targets = batch.labels.clone()
    targets[:, 2:] *= torch.tensor((width, height, width, height))
    matches = []
    for index, prediction in enumerate(batch.predictions):
        found = suppress(prediction).cpu()
        wanted = targets[targets[:, 0] == index, 1:]
        if len(wanted) or len(found):
            correct = correct_detections(found, wanted, batch.size, batch.shapes[index])
            matches.append((correct, found[:, 4].numpy(), found[:, 5].numpy(), wanted[:, 0].numpy()))
    return matches


def correct_detections(
    found: torch.Tensor, labels: torch.Tensor, size: Sequence[int], shape: Letterbox
) -> npt.NDArray[np.bool_]:
    """Which detections of an image match a label at which IoU, in pixels of the original image.

    Args:
        found:
            Shape (n, 6): xyxy in pixels of the network's input, confidence, class; most confident first.
        labels:
            Shape (m, 5): class, xywh in pixels of the network's input.
        size:
            Height and width of the network's input in pixels.
        shape:
            How the image was brought to that size.

    Returns:
        Shape (n, 10), by :data:`IOU_LEVELS`.
    """
    native, boxes = found[:, :4].clone(), xywh2xyxy(labels[:, 1:5])
    scale_boxes(size, native, shape[0], shape[1])
    scale_boxes(size, boxes, shape[0], shape[1])
    return match_detections(native, found[:, 5], boxes, labels[:, 0], IOU_LEVELS)
