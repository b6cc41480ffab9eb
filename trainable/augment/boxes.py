"""Labels of a batch after its augmentation, all boxes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainable.augment.layout import Layout
from trainable.augment.plan import EpochPlan

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LEAST_SIDE = 2.0
"""Pixels that a side must keep (``box_candidates``: ``wh_thr``)."""
LEAST_AREA = 0.1
"""Share of its area that a box must keep (``area_thr``)."""
LARGEST_RATIO = 100.0
"""Ratio of the sides that a box must stay below (``ar_thr``)."""
EPSILON = 1e-16
MARGIN = 1e-3
"""Boxes are clipped so far inside the image, in pixels (``xyxy2xywhn``: ``eps``)."""


@dataclass(frozen=True)
class Boxes:
    """The boxes of all images, one after the other.

    Attributes:
        rows:
            Shape (boxes, 5): class, centre x, centre y, width, height, normalised.
        starts:
            Shape (images + 1,): where the boxes of each image start.
    """

    rows: Array
    starts: Integers

    @classmethod
    def of(cls, labels: Sequence[Array]) -> Boxes:
        """From one array of shape (boxes, 5) for each image."""
        starts = np.concatenate([[0], np.cumsum([len(rows) for rows in labels])]).astype(np.int64)
        return cls(np.concatenate([np.zeros((0, 5), np.float32), *labels]), starts)

    def of_tiles(self, image: Integers) -> tuple[Array, Integers]:
        """The boxes of some images in their order, and for each box which of the images it belongs to."""
        counts = self.starts[image + 1] - self.starts[image]
        tile = np.repeat(np.arange(len(image)), counts)
        within = np.arange(len(tile)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.rows[self.starts[image][tile] + within], tile


def augment_boxes(plan: EpochPlan, layout: Layout, boxes: Boxes, image_size: int) -> Array:
    """The targets of a batch.

    Follows ``load_mosaic``, ``random_perspective``, ``box_candidates`` and the flips of ``__getitem__`` of YOLOv5,
    each in the precision that YOLOv5 computes it in.

    Args:
        plan:
            The draws of the batch.
        layout:
            Its tiles.
        boxes:
            The boxes of all images.
        image_size:
            Side of the output in pixels.

    Returns:
        Shape (boxes, 6): image in the batch, class, centre x, centre y, width, height, normalised.
    """
    rows, tile = boxes.of_tiles(layout.image)
    before = _on_canvas(rows, tile, layout, image_size)
    sample, canvas = layout.sample[tile], layout.canvas[tile]
    after = _warp(before, plan.matrices[sample, canvas], image_size)
    kept = _is_candidate(before * plan.scales[sample, canvas, None].astype(np.float32), after)
    targets = np.zeros((int(kept.sum()), 6), np.float32)
    targets[:, 0], targets[:, 1] = sample[kept], rows[kept, 0]
    targets[:, 2:] = _normalise(after[kept].astype(np.float32), image_size)
    flips = plan.flips[sample[kept]]
    targets[:, 3] = np.where(flips[:, 0], 1 - targets[:, 3], targets[:, 3])
    targets[:, 2] = np.where(flips[:, 1], 1 - targets[:, 2], targets[:, 2])
    return targets


def _on_canvas(rows: Array, tile: Integers, layout: Layout, image_size: int) -> Array:
    """Corners x1, y1, x2, y2 in pixels of the canvas; those on a mosaic are clipped to it."""
    size, pad = layout.size[tile].astype(np.float32), layout.pad[tile].astype(np.float32)
    half = rows[:, 3:5] / 2
    corners = np.concatenate([size * (rows[:, 1:3] - half) + pad, size * (rows[:, 1:3] + half) + pad], 1)
    clipped: Array = np.where(layout.mosaic[tile][:, None], corners.clip(0, 2 * image_size), corners)
    return clipped


def _warp(before: Array, matrices: Floats, image_size: int) -> Floats:
    """The upright box around each warped box, clipped to the output."""
    corners = np.ones((len(before), 4, 3))
    corners[..., :2] = before[:, [0, 1, 2, 3, 0, 3, 2, 1]].reshape(-1, 4, 2)
    warped = corners @ matrices.transpose(0, 2, 1)
    points = warped[..., :2] / warped[..., 2:]
    around: Floats = np.concatenate([points.min(1), points.max(1)], 1).clip(0, image_size)
    return around


def _is_candidate(before: Array, after: Floats) -> npt.NDArray[np.bool_]:
    """Whether enough of each box is left (``box_candidates``)."""
    (w1, h1), (w2, h2) = (before[:, 2:] - before[:, :2]).T, (after[:, 2:] - after[:, :2]).T
    ratio = np.maximum(w2 / (h2 + EPSILON), h2 / (w2 + EPSILON))
    kept: npt.NDArray[np.bool_] = (
        (w2 > LEAST_SIDE) & (h2 > LEAST_SIDE) & (w2 * h2 / (w1 * h1 + EPSILON) > LEAST_AREA) & (ratio < LARGEST_RATIO)
    )
    return kept


def _normalise(corners: Array, image_size: int) -> Array:
    """Corners in pixels as centre and size, normalised (``xyxy2xywhn`` with ``clip``)."""
    low, high = np.split(corners.clip(0, image_size - MARGIN), 2, axis=1)
    return np.concatenate([(low + high) / 2 / image_size, (high - low) / image_size], 1)
