"""Builds a bank once per node: in threads, as a draft that becomes the bank when it is whole."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import cv2

from data_prep.durable import replacing
from data_prep.pool import threaded_map
from trainable.bank_decode import decode
from trainable.bank_file import FORMAT, BankLayout, MappedBank, Sizes, header, lay_out_bank, map_bank
from trainable.bank_folder import BANK, CacheFolder
from trainable.bank_key import key_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class BankContent:
    """What a bank holds.

    Attributes:
        files:
            Image files; an index into this list names an image.
        original_sizes:
            Array of shape (images, 2): height and width of each as it was found when it was checked.
        image_size:
            Longer side in pixels.
        augmented:
            Whether the images are for augmented training; decides the interpolation.
        manifest:
            Hash of the data set's manifest; empty where it has none.
    """

    files: Sequence[str]
    original_sizes: Sizes
    image_size: int
    augmented: bool
    manifest: str = ""

    @cached_property
    def layout(self) -> BankLayout:
        """Where each image lies."""
        return lay_out_bank(self.original_sizes, self.image_size)

    def described(self) -> dict[str, str | int]:
        """What the pixels depend on besides the files."""
        return {
            "image_size": self.image_size,
            "interpolation": "bilinear" if self.augmented else "area",
            "manifest": self.manifest,
            "opencv": cv2.__version__,
        }


def obtain(content: BankContent, folder: CacheFolder, threads: int | None = None) -> MappedBank:
    """Map the bank; build it if it is not there. Of many processes one builds and the others wait for it.

    Args:
        content:
            What it is to hold.
        folder:
            Where it lies.
        threads:
            Threads that build it; None for one per core that this process may use.

    Raises:
        OSError: There is no room, or the folder cannot be written to; nothing is left behind.
        WorkFailedError: An image changed since it was checked.
    """
    key = key_of(content.files, format=FORMAT, sizes=content.original_sizes.tolist(), **content.described())
    path = folder.path / f"{key}{BANK}"
    bank = _mapped(content, key, path)
    if bank is not None:
        return bank
    with folder.writing():
        bank = _mapped(content, key, path)  # somebody else may have built it meanwhile
        if bank is None:
            _build(content, key, path, folder, threads)
            bank = _mapped(content, key, path)
    if bank is None:
        raise FileNotFoundError(f"{path} is gone as soon as it was written")
    return bank


def _mapped(content: BankContent, key: str, path: Path) -> MappedBank | None:
    """The bank, if it is there and has the pixels of ``content``; its name alone could be anybody's."""
    bank = map_bank(path, key)
    return bank if bank is not None and len(bank.pixels) == content.layout.pixel_bytes else None


def _build(content: BankContent, key: str, path: Path, folder: CacheFolder, threads: int | None) -> None:
    started = time.perf_counter()
    start = header(key, content.layout, **content.described())
    size = len(start) + content.layout.pixel_bytes
    path.unlink(missing_ok=True)  # what is there is damaged
    folder.make_room(size)
    with replacing(path) as file:
        # A full disk shows here, and not in the middle of the work.
        os.posix_fallocate(file.fileno(), 0, size)
        _write_at(file.fileno(), start, 0)
        put = partial(_put, content, file.fileno(), len(start))
        for _ in threaded_map(put, range(len(content.files)), threads):
            pass
    seconds = time.perf_counter() - started
    logger.info("%s: %d images in %.2f GB, built in %.1f s", path, len(content.files), size / 1e9, seconds)


def _put(content: BankContent, descriptor: int, begin: int, index: int) -> None:
    layout = content.layout
    file, original = content.files[index], layout.original(index)
    pixels = decode(file, content.image_size, original, augmented=content.augmented)
    _write_at(descriptor, pixels.tobytes(), begin + int(layout.offsets[index]))


def _write_at(descriptor: int, content: bytes, position: int) -> None:
    """Write all of ``content``; not through a mapping, where a full disk would kill the process by a signal."""
    rest = memoryview(content)
    while rest:
        written = os.pwrite(descriptor, rest, position)
        rest, position = rest[written:], position + written
