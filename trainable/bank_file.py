"""The file of a bank: all resized images of one list in one block, mapped into memory and never written again.

Little-endian: the magic number, lengths and a SHA-256 of the header; the header, which is JSON (what the bank is of)
and three arrays (where each image lies); zeros up to a page; the pixels of all images without gaps, each row by row,
BGR. The hash does not cover the pixels: to read them all at every start is what the bank is to spare.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainable.bank_decode import Size, resized_size
from trainable.bank_folder import hold, mark_used

FORMAT = 1
"""Version of the form; another version is another bank."""
CHANNELS = 3
_MAGIC = b"HYPBANK\x01"
#: Magic, length of the JSON, number of images, bytes of pixels, SHA-256 of the header.
_START = struct.Struct("<8sQQQ32s")
_PAGE = 4096

Sizes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class BankLayout:
    """Where each image of a bank lies.

    Attributes:
        offsets:
            Array of shape (images,): first byte of each image among the pixels.
        sizes:
            Array of shape (images, 2): height and width in the bank, in pixels.
        original_sizes:
            Array of shape (images, 2): height and width of the file, after EXIF rotation.
    """

    offsets: Sizes
    sizes: Sizes
    original_sizes: Sizes

    @property
    def pixel_bytes(self) -> int:
        """Bytes of all pixels."""
        return int(CHANNELS * self.sizes.prod(axis=1).sum())

    def shape(self, index: int) -> tuple[int, int, int]:
        """Shape of one image, (h, w, 3)."""
        height, width = self.sizes[index].tolist()
        return height, width, CHANNELS

    def original(self, index: int) -> Size:
        """Height and width of one file."""
        height, width = self.original_sizes[index].tolist()
        return height, width


@dataclass(frozen=True)
class MappedBank:
    """A bank in memory; its pages are shared with every process that maps the same file.

    Attributes:
        path:
            The file.
        key:
            What it was asked for by.
        pixels:
            Read-only array of shape (bytes,): all images.
    """

    path: Path
    key: str
    pixels: npt.NDArray[np.uint8]

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process maps the file for itself; pickled pixels would be a copy.
        return _map_again, (self.path, self.key)


def lay_out_bank(original_sizes: Sequence[Size] | Sizes, image_size: int) -> BankLayout:
    """Where images of the given (height, width) lie once their longer side is ``image_size``."""
    original = np.array(original_sizes, dtype=np.int64).reshape(-1, 2)  # a copy, to be made read-only
    sizes = np.array([resized_size((h, w), image_size) for h, w in original.tolist()], dtype=np.int64).reshape(-1, 2)
    ends = np.cumsum(CHANNELS * sizes.prod(axis=1))
    offsets = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
    for array in (offsets, sizes, original):
        array.flags.writeable = False
    return BankLayout(offsets, sizes, original)


def header(key: str, layout: BankLayout, **described: Any) -> bytes:  # noqa: ANN401  # whatever JSON can write
    """Everything of a bank's file that stands before the pixels, a whole number of pages."""
    text = json.dumps({"format": FORMAT, "key": key, **described}, sort_keys=True).encode()
    arrays = (layout.offsets, layout.sizes, layout.original_sizes)
    content = text + b"".join(array.astype("<i8").tobytes() for array in arrays)
    digest = hashlib.sha256(content).digest()
    start = _START.pack(_MAGIC, len(text), len(layout.offsets), layout.pixel_bytes, digest)
    return (start + content).ljust(_pixels_at(len(text), len(layout.offsets)), b"\0")


def map_bank(path: Path, key: str) -> MappedBank | None:
    """Map a bank; None where there is none, or a file that is cut short, damaged in its header, or of another key.

    Raises:
        OSError: It is there and is no file, or may not be read, or does not fit into the address space.
    """
    if path.exists() and not path.is_file():  # to open a FIFO would be to wait for it
        raise FileExistsError(f"{path} is no file")
    try:
        with path.open("rb") as file:
            hold(file.fileno())
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (FileNotFoundError, ValueError):  # ValueError: the file is empty
        return None
    pixels_at = _check(mapped, key)
    if pixels_at is None:
        mapped.close()
        return None
    mark_used(path)
    return MappedBank(path, key, np.frombuffer(mapped, np.uint8, offset=pixels_at))


def _pixels_at(text_length: int, count: int) -> int:
    return -(-(_START.size + text_length + 5 * 8 * count) // _PAGE) * _PAGE


def _check(mapped: mmap.mmap, key: str) -> int | None:
    """Where the pixels begin; None for a file that is not what it should be."""
    if len(mapped) < _START.size:
        return None
    magic, text_length, count, pixel_bytes, digest = _START.unpack_from(mapped)
    pixels_at = _pixels_at(text_length, count)
    if magic != _MAGIC or len(mapped) != pixels_at + pixel_bytes:
        return None
    content = mapped[_START.size : _START.size + text_length + 5 * 8 * count]
    if hashlib.sha256(content).digest() != digest:
        return None
    try:
        described = json.loads(content[:text_length])
        same = (described["format"], described["key"]) == (FORMAT, key)
    except (KeyError, RecursionError, TypeError, ValueError):  # not written here, whatever its hash says
        return None
    return pixels_at if same else None


def _map_again(path: Path, key: str) -> MappedBank:
    bank = map_bank(path, key)
    if bank is None:
        raise FileNotFoundError(f"{path}: the image bank was removed while a training used it; start it again.")
    return bank
