"""One image, from its file to the pixels that a training wants, as YOLOv5's ``load_image`` has them.

YOLOv5 resizes bilinearly where it augments or enlarges and by area where it does neither.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.errors import WorkFailedError

Image = npt.NDArray[np.uint8]
Size = tuple[int, int]
"""Height and width in pixels."""


def resized_size(original: Size, image_size: int) -> Size:
    """The (height, width) of an image whose longer side is brought to ``image_size``, rounded as YOLOv5 rounds it."""
    height, width = original
    ratio = image_size / max(height, width)
    return (math.ceil(height * ratio), math.ceil(width * ratio)) if ratio != 1 else original


def decode(file: str, image_size: int, original: Size, *, augmented: bool) -> Image:
    """Pixels of shape (h, w, 3), BGR, resized so that the longer side is ``image_size``.

    Args:
        file:
            The image file.
        image_size:
            Longer side in pixels.
        original:
            The (height, width) that the file was found to have when it was checked.
        augmented:
            Whether the image is for augmented training; decides the interpolation.

    Raises:
        WorkFailedError: The file cannot be decoded or has another size: it is no longer the one that was checked.
    """
    image = cv2.imread(file)
    if image is None or image.shape[:2] != tuple(original):
        raise WorkFailedError(
            f"{file}: the image could be decoded when it was checked and is changed or gone since; "
            "leave the data set alone while trainings read it, then start again."
        )
    size = resized_size(original, image_size)
    if size != tuple(original):
        enlarged = image_size > max(original)
        interpolation = cv2.INTER_LINEAR if augmented or enlarged else cv2.INTER_AREA
        image = cv2.resize(image, size[::-1], interpolation=interpolation)
    return np.asarray(image, dtype=np.uint8)
