"""Validation of a model, as ``yolov5.val.run`` does it after each epoch, with mAP75 and figures per class beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from trainable.batches import Batch
from trainable.metrics import Evaluation, Losses, evaluate_matches
from trainable.yolov5_parts import non_max_suppression, process_batch, scale_boxes, xywh2xyxy

CONFIDENCE = 0.001
NMS_IOU = 0.6
MAX_DETECTIONS = 300

Match = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""Of one image: correct (predictions, 10) bool, confidence, predicted class (predictions,), label class (labels,)."""


Letterbox = tuple[tuple[int, int], tuple[tuple[float, float], tuple[float, float]]]
"""Of one image: its original (h, w); by what factors (h, w) it was resized and what padding (w, h) was added."""


def evaluate(
    model: torch.nn.Module,
    batches: Iterable[Batch],
    compute_loss: Any,  # noqa: ANN401  # yolov5 ships no types
    names: Sequence[str],
    device: torch.device,
    *,
    amp: bool = False,
) -> Evaluation:
    """Judge ``model`` on ``batches``.

    Differs from ``yolov5.val.run`` in three points, none of which changes a figure in float32: NMS has no time limit
    over a batch (YOLOv5's drops the predictions of the images that come after half a second, so a busy machine
    changes its mAP), mixed precision leaves the model's own weights as they are (YOLOv5 rounds the EMA to fp16 in
    place), and nothing is written.

    Args:
        model:
            A YOLOv5 detection model on ``device``; left in evaluation mode.
        batches:
            The validation batches.
        compute_loss:
            YOLOv5's loss.
        names:
            Class names.
        device:
            Where to compute.
        amp:
            Mixed precision; on a GPU only.

    Returns:
        Metrics over all classes and per class, and the losses.
    """
    model.eval()
    iou_levels = torch.linspace(0.5, 0.95, 10, device=device)
    losses, count = torch.zeros(3, device=device), 0
    matches: list[Match] = []
    with torch.inference_mode():
        for images, labels, _, shapes in batches:
            pixels = images.to(device, non_blocking=True).float() / 255
            targets = labels.to(device)
            with torch.autocast(device.type, enabled=amp and device.type == "cuda"):
                predictions, layers = model(pixels)
            losses += compute_loss([layer.float() for layer in layers], targets)[1]
            count += 1
            matches += _match_batch(predictions.float(), targets, pixels.shape[2:], shapes, iou_levels)
    matches.append((torch.zeros(0, 10, dtype=torch.bool, device=device), *torch.zeros(3, 0, device=device)))
    correct, confidence, predicted, labelled = (
        torch.cat(column, 0).cpu().numpy() for column in zip(*matches, strict=True)
    )
    overall, per_class = evaluate_matches(correct, confidence, predicted, labelled, names)
    return Evaluation(overall, per_class, Losses(*(losses / max(count, 1)).tolist()))


def _match_batch(
    predictions: torch.Tensor,
    targets: torch.Tensor,
    size: torch.Size,
    shapes: Sequence[Any],
    levels: torch.Tensor,
) -> list[Match]:
    """Match the predictions of one batch, shape (images, candidates, 5 + classes), to its labels, per image."""
    height, width = size
    targets = targets.clone()
    targets[:, 2:] *= torch.tensor((width, height, width, height), device=targets.device)
    matches = []
    for index in range(predictions.shape[0]):
        found = non_max_suppression(
            predictions[index : index + 1], CONFIDENCE, NMS_IOU, multi_label=True, max_det=MAX_DETECTIONS
        )[0]
        labels = targets[targets[:, 0] == index, 1:]
        if len(labels) or len(found):
            correct = _correct(found, labels, size, shapes[index], levels)
            matches.append((correct, found[:, 4], found[:, 5], labels[:, 0]))
    return matches


def _correct(
    found: torch.Tensor, labels: torch.Tensor, size: torch.Size, shape: Letterbox, levels: torch.Tensor
) -> torch.Tensor:
    """Which predictions match a label at which IoU, shape (predictions, 10), in pixels of the original image."""
    if not len(labels) or not len(found):
        return torch.zeros(len(found), len(levels), dtype=torch.bool, device=levels.device)
    native, boxes = found.clone(), xywh2xyxy(labels[:, 1:5])
    scale_boxes(size, native[:, :4], shape[0], shape[1])
    scale_boxes(size, boxes, shape[0], shape[1])
    correct: torch.Tensor = process_batch(native, torch.cat((labels[:, 0:1], boxes), 1), levels)
    return correct
