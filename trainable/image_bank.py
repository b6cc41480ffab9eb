"""Decoded, resized images that the trainings of one process share.

YOLOv5 resizes bilinearly where it augments and by area where it does not (``LoadImagesAndLabels.load_image``), so a
bank belongs to one image size and one of the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.errors import WorkFailedError

Image = npt.NDArray[np.uint8]
Loaded = tuple[Image, tuple[int, int], tuple[int, int]]


class ImageBank:
    """Images of one list, resized so that the longer side is ``image_size``.

    Args:
        files:
            Image files; an index into this list names an image.
        image_size:
            Longer side in pixels.
        augmented:
            Whether the images are for augmented training; decides the interpolation.
        keep:
            Keep each image in memory once it was decoded.
    """

    def __init__(self, files: Sequence[str], image_size: int, *, augmented: bool, keep: bool) -> None:
        self._files = files
        self._image_size = image_size
        self._augmented = augmented
        self._kept: list[Loaded | None] | None = [None] * len(files) if keep else None

    def load(self, index: int) -> Loaded:
        """One image as (pixels of shape (h, w, 3), BGR; original (h, w); resized (h, w)).

        The pixels may be shared: copy them before writing to them.

        Raises:
            WorkFailedError: The file cannot be decoded.
        """
        if self._kept is None:
            return self._decode(index)
        kept = self._kept[index]
        if kept is None:
            kept = self._kept[index] = self._decode(index)
        return kept

    def fill(self) -> None:
        """Decode everything that is to be kept, so that processes that are forked afterwards share it."""
        if self._kept is not None and any(kept is None for kept in self._kept):
            with ThreadPoolExecutor() as pool:  # OpenCV lets go of Python's lock
                list(pool.map(self.load, range(len(self._files))))

    def _decode(self, index: int) -> Loaded:
        image = cv2.imread(self._files[index])
        if image is None:
            raise WorkFailedError(f"{self._files[index]}: the image cannot be decoded; replace or remove it.")
        height, width = image.shape[:2]
        ratio = self._image_size / max(height, width)
        if ratio != 1:
            interpolation = cv2.INTER_LINEAR if self._augmented or ratio > 1 else cv2.INTER_AREA
            size = (math.ceil(width * ratio), math.ceil(height * ratio))
            image = cv2.resize(image, size, interpolation=interpolation)
        pixels = np.asarray(image, dtype=np.uint8)
        return pixels, (height, width), (pixels.shape[0], pixels.shape[1])
