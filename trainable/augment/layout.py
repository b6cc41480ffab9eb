"""Where the tiles of a batch lie on their canvases, in whole pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainable.augment.plan import TILES, EpochPlan

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """The tiles of the canvases of a batch; row t of each array belongs to tile t.

    Attributes:
        sample, canvas:
            Shape (t,): output image in the batch, and which of its canvases.
        image:
            Shape (t,): the image on the tile.
        corner:
            Shape (t, 2): x, y on the canvas of the image's top left pixel; it may lie outside.
        area:
            Shape (t, 4): x1, y1, x2, y2 of what is seen of the image, on the canvas.
        size:
            Shape (t, 2): width and height in pixels at which the image is laid.
        pad:
            Shape (t, 2): like ``corner``, for boxes; half a pixel off it under an uneven letterbox.
        mosaic:
            Shape (t,): whether the canvas is a mosaic.
    """

    sample: Integers
    canvas: Integers
    image: Integers
    corner: Integers
    area: Integers
    size: Integers
    pad: Floats
    mosaic: npt.NDArray[np.bool_]


def lay_out(plan: EpochPlan, sizes: Integers, image_size: int) -> Layout:
    """Lay the tiles of ``plan``, as ``LoadImagesAndLabels.load_mosaic`` and ``letterbox`` do.

    Args:
        plan:
            A batch.
        sizes:
            Shape (images, 2): width and height of each image in the bank, in pixels.
        image_size:
            Side of the output in pixels.
    """
    used = np.zeros((len(plan), 2, TILES), dtype=bool)
    used[:, 0] = plan.mosaic[:, None]
    used[:, 0, 0] = True
    used[:, 1] = plan.mixup[:, None]
    sample, canvas, tile = np.nonzero(used)
    image, mosaic = plan.images[sample, canvas, tile], plan.mosaic[sample]
    single = _letterbox(sizes[image], image_size)
    size = np.where(mosaic[:, None], sizes[image], single)
    free = (image_size - single) / 2
    centre = plan.centres[sample, canvas]
    left, top = tile % 2 == 0, tile < 2
    corner = centre - np.stack([left, top], 1) * size
    corner = np.where(mosaic[:, None], corner, np.round(free - 0.1).astype(np.int64))
    pad = np.where(mosaic[:, None], corner, free)
    side = np.where(mosaic, 2 * image_size, image_size)[:, None]
    area = np.concatenate([np.maximum(corner, 0), np.minimum(corner + size, side)], 1)
    return Layout(sample, canvas, image, corner, area, size, pad, mosaic)


def _letterbox(sizes: Integers, image_size: int) -> Integers:
    """Width and height after ``letterbox``; rounding up can have left an image one pixel too large for it."""
    ratio = (image_size / sizes).min(axis=1, keepdims=True)
    fitted: Integers = np.round(sizes * ratio).astype(np.int64)
    return fitted
