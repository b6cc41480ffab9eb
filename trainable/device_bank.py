"""Puts the decoded images into a GPU's memory, where its own renderer finds them."""

from __future__ import annotations

import logging

import numpy as np
import torch

from trainable.augment.render_device import DeviceBank
from trainable.image_bank import ImageBank

logger = logging.getLogger(__name__)

LARGEST_SHARE = 0.25
"""Of a GPU's free memory: the rest is for the training and its neighbours."""
PART_BYTES = 1 << 28
"""Bytes that are copied at a time: torch takes no read-only array, so each part is in the host's memory twice."""


def put_on_device(bank: ImageBank, device: torch.device) -> DeviceBank | None:
    """The images of ``bank`` in the memory of ``device``.

    Returns:
        None where that is no GPU, where they would take more than a quarter of its free memory, and where they are not
        kept in a file; batches are then rendered on the CPU.
    """
    if device.type != "cuda" or bank.flat is None:
        return None
    free, _ = torch.cuda.mem_get_info(device)
    if bank.flat.nbytes > LARGEST_SHARE * free:
        logger.info(
            "%.1f GB of images stay in the host's memory: the GPU has %.1f GB", bank.flat.nbytes / 1e9, free / 1e9
        )
        return None
    return device_bank(bank, bank.flat, device)


def device_bank(
    bank: ImageBank, pixels: np.ndarray[tuple[int], np.dtype[np.uint8]], device: torch.device
) -> DeviceBank:
    """See :func:`put_on_device`; whatever the device."""
    moved = torch.empty(len(pixels), dtype=torch.uint8, device=device)
    for start in range(0, len(pixels), PART_BYTES):
        part = torch.from_numpy(np.array(pixels[start : start + PART_BYTES]))
        moved[start : start + PART_BYTES] = part.to(device)
    return DeviceBank(moved, bank.offsets.astype(np.int64), bank.sizes[:, 1].astype(np.int64))


def view_on_device(bank: ImageBank, moved: DeviceBank) -> DeviceBank:
    """The images of a bank, where those of the whole one are on a device already; no pixel is copied."""
    if bank is bank.whole:
        return moved
    return DeviceBank(moved.pixels, bank.offsets.astype(np.int64), bank.sizes[:, 1].astype(np.int64))
