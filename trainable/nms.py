"""Non-maximum suppression of one image: YOLOv5's result without suppressing what cannot be among it."""

from __future__ import annotations

import torch
import torchvision

from trainable.yolov5_parts import xywh2xyxy

CONFIDENCE = 0.001
IOU = 0.6
MAX_DETECTIONS = 300
MAX_CANDIDATES = 30000
"""Boxes that NMS looks at, the most confident first (YOLOv5's ``max_nms``)."""
CLASS_OFFSET = 7680.0
"""Pixels by which classes are moved apart, so that they do not suppress each other (YOLOv5's ``max_wh``)."""
CHUNK = 512
"""Boxes that are looked at together; the fastest of 256, 384, 512, 768 (docs/log.md)."""


def suppress(prediction: torch.Tensor) -> torch.Tensor:
    """The detections of one image (``yolov5.utils.general.non_max_suppression`` with ``multi_label``).

    Whether a box is kept depends on more confident boxes alone. So boxes are looked at in chunks, each together with
    those that were kept before it, until there are enough.

    Args:
        prediction:
            Shape (candidates, 5 + classes): xywh in pixels, objectness, class probabilities; left as it is.

    Returns:
        Shape (detections, 6): xyxy in pixels, confidence, class; most confident first.
    """
    candidates = _candidates(prediction[prediction[:, 4] > CONFIDENCE])
    candidates = candidates[candidates[:, 4].argsort(descending=True)[:MAX_CANDIDATES]]
    boxes, scores = candidates[:, :4] + candidates[:, 5:6] * CLASS_OFFSET, candidates[:, 4]
    places = torch.arange(len(candidates), device=prediction.device)
    kept = places[:0]
    for chunk in torch.split(places, CHUNK):
        among = torch.cat((kept, chunk))
        kept = among[torchvision.ops.nms(boxes[among], scores[among], IOU)]
        if len(kept) >= MAX_DETECTIONS:
            break
    return candidates[kept[:MAX_DETECTIONS]]


def _candidates(rows: torch.Tensor) -> torch.Tensor:
    """A row for each box and class that is likely enough: xyxy, confidence, class."""
    boxes, confidence = xywh2xyxy(rows[:, :4]), rows[:, 5:] * rows[:, 4:5]
    if confidence.shape[1] > 1:
        box, kind = (confidence > CONFIDENCE).nonzero(as_tuple=True)
        return torch.cat((boxes[box], confidence[box, kind, None], kind[:, None].float()), 1)
    rows = torch.cat((boxes, confidence, torch.zeros_like(confidence)), 1)
    return rows[confidence.view(-1) > CONFIDENCE]
