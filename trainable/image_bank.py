"""Decoded, resized images, shared by all trainings of a node or decoded each time.

A bank belongs to one image size and one interpolation, because YOLOv5 resizes otherwise where it augments.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainable.bank_build import BankContent, obtain
from trainable.bank_decode import Image, Size, decode
from trainable.bank_file import MappedBank, Sizes
from trainable.bank_folder import CacheFolder, disk_folder, memory_folder
from trainable.settings import TrainSettings

logger = logging.getLogger(__name__)

Loaded = tuple[Image, Size, Size]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class ImagePolicy:
    """How a training keeps images and what it does about broken ones.

    Attributes:
        cache:
            ``disk`` or ``ram``: where the file lies that all trainings of a node share; ``none`` decodes each time.
        cache_dir:
            Folder on disk; None is the user's cache folder (:func:`trainable.bank_folder.disk_folder`).
        broken_images:
            ``skip`` leaves them out by name, ``fail`` raises.
    """

    cache: str = "disk"
    cache_dir: str | None = None
    broken_images: str = "skip"

    @classmethod
    def of(cls, settings: TrainSettings) -> ImagePolicy:
        """What a training's settings say."""
        return cls(settings.cache, settings.cache_dir, settings.broken_images)


class ImageBank:
    """Images of one list, resized so that the longer side is ``image_size``.

    It can be pickled and forked: another process maps the same file, and the pixels are never copied.

    Args:
        content:
            The images.
        mapped:
            Their pixels; None decodes them each time.
        rows:
            Which of the images are seen, by their index in ``content``; None for all.
        whole:
            The bank of all images, where ``rows`` are some of them.
    """

    def __init__(
        self,
        content: BankContent,
        mapped: MappedBank | None = None,
        rows: Rows | None = None,
        whole: ImageBank | None = None,
    ) -> None:
        self._content, self._mapped, self._rows = content, mapped, rows
        self._whole = whole

    def __len__(self) -> int:
        return len(self._content.files) if self._rows is None else len(self._rows)

    def subset(self, rows: Rows) -> ImageBank:
        """Some of the images, over the same pixels.

        Args:
            rows:
                Array of shape (images,): the index in this bank of each image of the subset.
        """
        chosen = rows if self._rows is None else self._rows[rows]
        return ImageBank(self._content, self._mapped, chosen, self.whole)

    @property
    def whole(self) -> ImageBank:
        """The bank of which this is a subset; itself where it is none."""
        return self if self._whole is None else self._whole

    @property
    def flat(self) -> npt.NDArray[np.uint8] | None:
        """All pixels as one read-only array of shape (bytes,); None where they are decoded each time.

        A subset has those of the whole bank. Image i is ``flat[offsets[i]:][:3 * h * w].reshape(h, w, 3)`` with
        ``h, w = sizes[i]``.
        """
        return None if self._mapped is None else self._mapped.pixels

    @property
    def offsets(self) -> Sizes:
        """Array of shape (images,): where each image begins in :attr:`flat`."""
        return self._taken(self._content.layout.offsets)

    @property
    def sizes(self) -> Sizes:
        """Array of shape (images, 2): height and width of the resized images in pixels."""
        return self._taken(self._content.layout.sizes)

    @property
    def original_sizes(self) -> Sizes:
        """Array of shape (images, 2): height and width of the files in pixels, after EXIF rotation."""
        return self._taken(self._content.layout.original_sizes)

    def _taken(self, array: Sizes) -> Sizes:
        return array if self._rows is None else array[self._rows]

    def load(self, index: int) -> Loaded:
        """One image as (pixels of shape (h, w, 3), BGR; original (h, w); resized (h, w)).

        The pixels may be shared and read-only: copy them before writing to them.

        Raises:
            WorkFailedError: The file is to be decoded now and is not what it was when it was checked.
        """
        layout, content = self._content.layout, self._content
        index = index if self._rows is None else int(self._rows[index])
        original, shape = layout.original(index), layout.shape(index)
        if self._mapped is None:
            pixels = decode(content.files[index], content.image_size, original, augmented=content.augmented)
        else:
            begin = int(layout.offsets[index])
            pixels = self._mapped.pixels[begin : begin + shape[0] * shape[1] * shape[2]].reshape(shape)
        return pixels, original, shape[:2]


def open_bank(content: BankContent, policy: ImagePolicy) -> ImageBank:
    """The bank where ``policy`` wants it, or else in the other shared place, or else no file but decoding each time.

    A warning says which and why. No place gets more than half of its free space; see
    :meth:`trainable.bank_folder.CacheFolder.make_room`.

    Raises:
        WorkFailedError: An image changed since it was checked.
    """
    failed = []
    for find in _places(policy):
        try:
            bank = ImageBank(content, obtain(content, find()))
        except OSError as error:
            failed.append(str(error))
            continue
        if failed:
            logger.warning("images are kept in %s instead of `cache: %s` (%s)", find().path, policy.cache, failed[0])
        return bank
    if failed:
        logger.warning("images are decoded anew each time instead of `cache: %s` (%s)", policy.cache, "; ".join(failed))
    return ImageBank(content)


def _places(policy: ImagePolicy) -> tuple[Callable[[], CacheFolder], ...]:
    def disk() -> CacheFolder:
        return disk_folder(policy.cache_dir)

    return {"disk": (disk, memory_folder), "ram": (memory_folder, disk), "none": ()}[policy.cache]
