"""Pixels of a batch after its augmentation, on a CPU with OpenCV, image by image.

Given the same draws they equal those of YOLOv5 to the last bit; what is saved is copies: the canvas is used again, the
three tables of the colour change are applied in one pass, and the result is written as RGB rows of pixels, which is
the memory format that convolutions like best (channels last).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from trainable.augment.layout import Layout
from trainable.augment.plan import EpochPlan

Image = npt.NDArray[np.uint8]
GREY = 114
"""What lies beside the images (YOLOv5's letterbox and mosaic)."""
_BORDER = (GREY, GREY, GREY)


class Renderer:
    """Renders images one after the other; each thread needs its own.

    Args:
        load:
            Gives the pixels of an image, shape (h, w, 3), BGR.
        image_size:
            Side of the output in pixels.
    """

    def __init__(self, load: Callable[[int], Image], image_size: int) -> None:
        self._load = load
        self._size = image_size
        self._canvas = np.empty((2 * image_size, 2 * image_size, 3), np.uint8)

    def render(self, plan: EpochPlan, layout: Layout) -> Image:
        """The images of a batch, shape (n, image_size, image_size, 3), RGB."""
        out = np.empty((len(plan), self._size, self._size, 3), np.uint8)
        firsts = np.searchsorted(layout.sample, np.arange(len(plan) + 1))
        for index in range(len(plan)):
            tiles = np.arange(firsts[index], firsts[index + 1])
            image = self._cut(plan, layout, tiles[layout.canvas[tiles] == 0], index, 0)
            if plan.mixup[index]:
                other = self._cut(plan, layout, tiles[layout.canvas[tiles] == 1], index, 1)
                ratio = plan.ratios[index]
                image = (image * ratio + other * (1 - ratio)).astype(np.uint8)
            _flip(_recolour(image, plan.gains[index]), plan.flips[index], out[index])
        return out

    def _cut(self, plan: EpochPlan, layout: Layout, tiles: npt.NDArray[np.int64], sample: int, canvas: int) -> Image:
        """Lay the tiles on a canvas and warp it to the output."""
        side = 2 * self._size if plan.mosaic[sample] else self._size
        laid = self._canvas[:side, :side]
        laid.fill(GREY)
        for tile in tiles:
            x1, y1, x2, y2 = layout.area[tile]
            if x2 > x1 and y2 > y1:
                x, y = layout.corner[tile]
                laid[y1:y2, x1:x2] = self._tile(layout, tile)[y1 - y : y2 - y, x1 - x : x2 - x]
        matrix = plan.matrices[sample, canvas]
        if (matrix == np.eye(3)).all():
            return laid.copy()
        size = (self._size, self._size)
        if matrix[2, 0] or matrix[2, 1]:
            return np.asarray(cv2.warpPerspective(laid, matrix, dsize=size, borderValue=_BORDER), np.uint8)
        return np.asarray(cv2.warpAffine(laid, matrix[:2], dsize=size, borderValue=_BORDER), np.uint8)

    def _tile(self, layout: Layout, tile: int) -> Image:
        image = self._load(int(layout.image[tile]))
        width, height = layout.size[tile].tolist()
        if image.shape[:2] != (height, width):
            image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        return image


def _recolour(image: Image, gains: npt.NDArray[np.float64]) -> Image:
    """BGR to RGB with hue, saturation and value changed (``augment_hsv``)."""
    if (gains == 1).all():
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_BGR2HSV), colour_tables(gains)[None])
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def colour_tables(gains: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """What each hue (of 180), saturation and value becomes, shape (256, 3)."""
    values = np.arange(256)[:, None] * gains
    values[:, 0] %= 180
    return values.clip(0, 255).astype(np.uint8)


def _flip(image: Image, flips: npt.NDArray[np.bool_], out: Image) -> None:
    upside_down, mirrored = flips
    if upside_down or mirrored:
        cv2.flip(image, -1 if upside_down and mirrored else 0 if upside_down else 1, dst=out)
    else:
        out[:] = image
