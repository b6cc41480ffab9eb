"""Pixels of a batch after its augmentation, on the device that trains, from a bank that lies in its memory.

Each output pixel is looked up in the tiles directly, with the same draws as :mod:`trainable.augment.render`; no mosaic
is ever laid. The interpolation is that of OpenCV but for its rounding, so pixels differ by a level here and there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from trainable.augment.colour import recolour
from trainable.augment.layout import Layout
from trainable.augment.plan import CANVASES, TILES, EpochPlan
from trainable.augment.render import GREY, colour_tables

PIXELS_AT_ONCE = 1 << 22
"""Output pixels that are computed together: some 0.6 GB of indices and weights."""
SUBPIXELS = 32
"""OpenCV interpolates between so many places of a pixel."""


@dataclass(frozen=True)
class DeviceBank:
    """Decoded images in a device's memory.

    Attributes:
        pixels:
            Shape (bytes,), uint8: rows of BGR pixels, one image after the other.
        offsets:
            Shape (images,): where each image starts.
        widths:
            Shape (images,): width of each image in pixels.
    """

    pixels: torch.Tensor
    offsets: npt.NDArray[np.int64]
    widths: npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Canvases:
    """Canvases on the device; ``tiles`` is (k, 4, 8): corner x, y, area x1, y1, x2, y2, width of image, offset."""

    tiles: torch.Tensor
    centres: torch.Tensor
    inverses: torch.Tensor
    flips: torch.Tensor


class DeviceRenderer:
    """Renders batches on a device.

    Args:
        bank:
            The images.
        image_size:
            Side of the output in pixels.
    """

    def __init__(self, bank: DeviceBank, image_size: int) -> None:
        self._bank, self._size = bank, image_size
        self._device = bank.pixels.device
        side = torch.arange(image_size, device=self._device)
        self._y, self._x = torch.meshgrid(side, side, indexing="ij")

    def render(self, plan: EpochPlan, layout: Layout) -> torch.Tensor:
        """The images of a batch, shape (n, 3, image_size, image_size), uint8, RGB, channels last in memory."""
        tiles = self._tiles(plan, layout)
        parts = [self._part(plan.part(start, stop), tiles[start:stop]) for start, stop in self._chunks(len(plan))]
        return torch.cat(parts).permute(0, 3, 1, 2)

    def _chunks(self, count: int) -> Iterator[tuple[int, int]]:
        step = max(1, PIXELS_AT_ONCE // self._size**2)
        return ((start, min(start + step, count)) for start in range(0, count, step))

    def _tiles(self, plan: EpochPlan, layout: Layout) -> npt.NDArray[np.int64]:
        """All tiles, shape (n, canvases, 4, 8); those that are not used have no area."""
        tiles = np.zeros((len(plan), CANVASES, TILES, 8), np.int64)
        slot = np.where(layout.mosaic, np.arange(len(layout.image)) - self._firsts(layout), 0)
        image = layout.image
        rows = [layout.corner, layout.area, self._bank.widths[image, None], self._bank.offsets[image, None]]
        tiles[layout.sample, layout.canvas, slot] = np.concatenate(rows, 1)
        return tiles

    @staticmethod
    def _firsts(layout: Layout) -> npt.NDArray[np.int64]:
        """For each tile the number of the first tile of its canvas; tiles come canvas by canvas."""
        canvas = layout.sample * CANVASES + layout.canvas
        first: npt.NDArray[np.int64] = np.searchsorted(canvas, canvas)
        return first

    def _part(self, plan: EpochPlan, tiles: npt.NDArray[np.int64]) -> torch.Tensor:
        """Some images, shape (k, h, w, 3), RGB."""
        images = self._cut(plan, tiles, 0)
        mixed = np.flatnonzero(plan.mixup)
        if len(mixed):
            chosen = plan.take(mixed)
            ratios = self._send(chosen.ratios.astype(np.float32)).view(-1, 1, 1, 1)
            place = self._send(mixed)
            images[place] = images[place] * ratios + self._cut(chosen, tiles[mixed], 1) * (1 - ratios)
        if (plan.gains == 1).all():  # the way to HSV and back is not free of loss
            return images.floor().flip(-1).to(torch.uint8)
        tables = np.stack([colour_tables(gains) for gains in plan.gains])
        return recolour(images.floor(), self._send(tables)).to(torch.uint8)

    def _cut(self, plan: EpochPlan, tiles: npt.NDArray[np.int64], canvas: int) -> torch.Tensor:
        """Warp one canvas of each image to the output, shape (k, h, w, 3), BGR, whole numbers as float32."""
        # Without mosaic there is one tile, and no pixel lies beyond the centre.
        centres = np.where(plan.mosaic[:, None], plan.centres[:, canvas], 4 * self._size)
        canvases = _Canvases(
            self._send(tiles[:, canvas]),
            self._send(centres),
            self._send(np.linalg.inv(plan.matrices[:, canvas]).astype(np.float32)),
            self._send(plan.flips),
        )
        x, y = self._sources(canvases)
        left, top = x.floor(), y.floor()
        across, down = (x - left)[..., None], (y - top)[..., None]
        column, row = left.long(), top.long()
        upper = torch.lerp(self._at(canvases, column, row), self._at(canvases, column + 1, row), across)
        lower = torch.lerp(self._at(canvases, column, row + 1), self._at(canvases, column + 1, row + 1), across)
        return torch.lerp(upper, lower, down).round_()

    def _sources(self, canvases: _Canvases) -> tuple[torch.Tensor, torch.Tensor]:
        """Where on the canvas each output pixel comes from: x and y, shape (k, h, w)."""
        last = self._size - 1
        up, mirrored = (canvases.flips[:, index, None, None] for index in (0, 1))
        x = torch.where(mirrored, last - self._x, self._x).float()
        y = torch.where(up, last - self._y, self._y).float()
        entries = canvases.inverses.flatten(1)[:, :, None, None]
        depth = entries[:, 6] * x + entries[:, 7] * y + entries[:, 8]
        sources = [(entries[:, at] * x + entries[:, at + 1] * y + entries[:, at + 2]) / depth for at in (0, 3)]
        # A strong perspective can send a pixel to infinity; beyond the canvas all is grey.
        limit = 8.0 * self._size
        x, y = (source.nan_to_num(limit).clamp(-limit, limit).mul(SUBPIXELS).round_() for source in sources)
        return x / SUBPIXELS, y / SUBPIXELS

    def _at(self, canvases: _Canvases, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The pixels at whole places of the canvases, shape (k, h, w, 3), float32."""
        centre = canvases.centres[:, :, None, None]
        tile = (x >= centre[:, 0]).long() + 2 * (y >= centre[:, 1]).long()
        chosen = canvases.tiles.gather(1, tile.flatten(1)[..., None].expand(-1, -1, 8)).view(*tile.shape, 8)
        corner_x, corner_y, x1, y1, x2, y2, width, offset = chosen.unbind(-1)
        inside = (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
        start = offset + ((y - corner_y) * width + (x - corner_x)) * 3
        start = torch.where(inside, start, 0)
        channels = torch.arange(3, device=self._device)
        pixels = self._bank.pixels[start[..., None] + channels].float()
        return torch.where(inside[..., None], pixels, float(GREY))

    def _send(self, values: npt.NDArray[np.generic]) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)
