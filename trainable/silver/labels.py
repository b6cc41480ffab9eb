"""The one way from candidates and gold labels to silver labels: for a data set that is written, and for a training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from data_prep.silver.merge import Merged, Rows, merge
from data_prep.silver.rule import SilverRule
from trainable.nms import NmsSettings, cut, keep

SIDE = 1024.0
"""NMS moves classes apart by pixels, so it sees each picture as a square of this side; a power of two rounds nothing,
and an overlap does not depend on how wide a picture is."""


class Candidates(NamedTuple):
    """What NMS chooses from, of one picture; most confident first.

    Attributes:
        boxes:
            Shape (n, 4), float32: x1, y1, x2, y2, normalised to the picture, not cut at its edge.
        confidences:
            Shape (n,), float32.
        classes:
            Shape (n,), int16.
    """

    boxes: npt.NDArray[np.float32]
    confidences: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int16]


@torch.inference_mode()
def silver_labels(candidates: Candidates, gold: Rows, rule: SilverRule) -> Merged:
    """What a rule makes of the predictions of one picture.

    Args:
        candidates:
            The predictions, before NMS.
        gold:
            The gold labels of the picture; no rows for a new one.
        rule:
            The rule. NMS leaves at most 300 boxes (``yolov5 val``).
    """
    columns = (candidates.boxes * SIDE, candidates.confidences[:, None], candidates.classes[:, None])
    rows = torch.from_numpy(np.concatenate(columns, 1, dtype=np.float32))
    kept = keep(cut(rows, rule.confidence), NmsSettings(confidence=rule.confidence, iou=rule.iou)).numpy()
    return merge(kept[:, :4] / SIDE, kept[:, 5], gold, rule)
