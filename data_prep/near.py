"""Which pictures look the same: near duplicates, neighbouring frames of one video.

Each thumbnail becomes a hash of 255 bits: the signs, about their median, of its 16 x 16 lowest frequencies (the
perceptual hash pHash, Zauner 2010, with a finer grid). Two pictures look the same where few bits differ. Sharpness,
size, brightness and a little cropping change few bits; a mirrored or rotated copy is not found. All arithmetic is on
whole numbers, so every machine finds the same pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from data_prep.records import THUMBNAIL_SIDE

#: Differing bits up to which two pictures look the same. Measured on 1237 photographs of cows and pigs: the first
#: false pair differs in 86; all copies that were compressed, resized, brightened or cropped by 4 % are found
#: (benchmarks/near_duplicates.py). The margin is for sets of many more pictures.
DEFAULT_DISTANCE: Final = 72

_FREQUENCIES = 16
_WORDS = _FREQUENCIES**2 // 64
_NO_PARTNER = 255  # above any distance: at most half of the 255 bits of a hash are set
_FLAT = 2  # grey levels of standard deviation; below, the hash would be rounding noise
_CHUNK = 4096  # pictures that are hashed at once
_TIDY = 1024  # joined pictures after which they are left out of the search

_Hashes = npt.NDArray[np.uint64]


class Pair(NamedTuple):
    """Two pictures that look the same.

    Attributes:
        first:
            Index of one picture.
        second:
            Index of the other one, larger than ``first``.
        distance:
            Bits in which their hashes differ.
    """

    first: int
    second: int
    distance: int


def find_pairs(
    thumbnails: Sequence[bytes], distance: int = DEFAULT_DISTANCE, sides: Sequence[str] | None = None
) -> list[Pair]:
    """Pair the pictures that look the same, sorted.

    Not every such pair is returned, since n frames of one camera have n² / 2, but a minimum spanning forest (Prim
    1957) of them, at most n - 1 pairs: every picture that looks like another one is in a pair with its nearest,
    and the clusters are those of all pairs. Takes O(n) memory and O(n²) time, whatever the pictures show: 0.6 s for
    16,000 of them, 8 s for 64,000.

    Args:
        thumbnails:
            One per picture, grey, :data:`data_prep.records.THUMBNAIL_SIDE` squared, one byte a pixel. An empty one
            (no picture) and a flat one (standard deviation below 2 grey levels) pair with nothing.
        distance:
            Differing bits up to which two pictures look the same.
        sides:
            Where each picture lies (its split); with it, two pictures on the same side are no pair.

    Raises:
        ValueError: A thumbnail has another size, or there is not one side per thumbnail.
    """
    if sides is not None and len(sides) != len(thumbnails):
        raise ValueError(f"{len(sides)} sides for {len(thumbnails)} thumbnails")
    where, hashes = _hash_all(thumbnails)
    numbers: dict[str, int] = {}
    side = None
    if sides is not None:
        side = np.array([numbers.setdefault(sides[index], len(numbers)) for index in where], dtype=np.int64)
    forest = _spanning_forest(hashes, distance, side)
    ends = ((int(where[a]), int(where[b]), bits) for a, b, bits in forest)
    return sorted(Pair(min(a, b), max(a, b), bits) for a, b, bits in ends)


def clusters(count: int, pairs: Iterable[Pair]) -> list[int]:
    """Join pictures that are linked by pairs, directly or through others.

    Returns:
        Per picture the smallest index in its cluster: its own where it looks like no other.
    """
    parents = list(range(count))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for pair in pairs:
        low, high = sorted((root(pair.first), root(pair.second)))
        parents[high] = low
    return [root(index) for index in range(count)]


def _hash_all(thumbnails: Sequence[bytes]) -> tuple[npt.NDArray[np.intp], _Hashes]:
    """Hash what has contrast: indices of shape ``(m,)`` and hashes of shape ``(_WORDS, m)``."""
    for index, thumbnail in enumerate(thumbnails):
        if len(thumbnail) not in (0, THUMBNAIL_SIDE**2):
            raise ValueError(f"thumbnail {index} has {len(thumbnail)} bytes, not {THUMBNAIL_SIDE**2}")
    present = np.array([index for index, thumbnail in enumerate(thumbnails) if thumbnail], dtype=np.intp)
    found, hashes = [present[:0]], [np.empty((0, _WORDS), np.uint64)]
    for start in range(0, len(present), _CHUNK):
        indices = present[start : start + _CHUNK]
        pixels = np.frombuffer(b"".join(thumbnails[index] for index in indices), np.uint8)
        pixels = pixels.reshape(len(indices), THUMBNAIL_SIDE**2)
        contrasty = _has_contrast(pixels)
        found.append(indices[contrasty])
        hashes.append(_hash(pixels[contrasty]))
    return np.concatenate(found), np.ascontiguousarray(np.concatenate(hashes).T)


def _has_contrast(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Whether each row's standard deviation is at least ``_FLAT``."""
    wide = pixels.astype(np.int64)
    count = pixels.shape[1]
    contrasty: npt.NDArray[np.bool_] = count * (wide**2).sum(1) - wide.sum(1) ** 2 >= (count * _FLAT) ** 2
    return contrasty


def _hash(pixels: npt.NDArray[np.uint8]) -> _Hashes:
    """Hash thumbnails of shape ``(n, 1024)``; returns shape ``(n, _WORDS)``."""
    # The cosines are rounded to whole numbers: then every product and sum is a whole number below 2**53, which
    # float64 holds exactly, in whatever order a BLAS adds.
    cosines = np.array([[_cosine(row, column) for column in range(THUMBNAIL_SIDE)] for row in range(_FREQUENCIES)])
    grid = pixels.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE).astype(np.float64)
    waves = (cosines @ grid @ cosines.T).reshape(-1, _FREQUENCIES**2)[:, 1:]  # without the mean brightness
    middle = waves.shape[1] // 2
    bits = waves > np.partition(waves, middle, axis=1)[:, middle : middle + 1]
    return np.packbits(bits, axis=1).view(np.uint64)


def _cosine(frequency: int, position: int) -> float:
    """Basis of the discrete cosine transform DCT-II, times 65536, as a whole number."""
    return float(round(65536 * math.cos(math.pi * frequency * (2 * position + 1) / (2 * THUMBNAIL_SIDE))))


def _spanning_forest(
    hashes: _Hashes, distance: int, side: npt.NDArray[np.int64] | None
) -> Iterator[tuple[int, int, int]]:
    """Grow trees by Prim's rule: always join the picture that is nearest to those already joined."""
    left = np.arange(hashes.shape[1])  # what is not joined yet, and some that is, until the next tidying
    joined = np.zeros(len(left), np.bool_)
    partner = np.zeros(len(left), np.intp)
    bits = np.full(len(left), _NO_PARTNER, np.uint8)
    for step in range(1, len(left) + 1):
        now = int(bits.argmin())
        if bits[now] == _NO_PARTNER:
            now = int(joined.argmin())  # nothing looks like this tree any more: the first that is left starts one
        else:
            yield int(partner[now]), int(left[now]), int(bits[now])
        joined[now], bits[now] = True, _NO_PARTNER
        away = _differing_bits(hashes, hashes[:, now])
        nearer = (away <= distance) & (away < bits) & ~joined
        if side is not None:
            nearer &= side != side[now]
        bits[nearer], partner[nearer] = away[nearer], left[now]
        if step % _TIDY == 0:
            keep = ~joined
            hashes = np.ascontiguousarray(hashes[:, keep])
            left, partner, bits, joined = left[keep], partner[keep], bits[keep], joined[keep]
            side = None if side is None else side[keep]


def _differing_bits(hashes: _Hashes, one: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Hamming distance of ``one`` to each column; at most 254, since no hash has more than 127 bits set."""
    away: npt.NDArray[np.uint8] = np.bitwise_count(hashes[0] ^ one[0])
    for row, word in zip(hashes[1:], one[1:], strict=True):
        away += np.bitwise_count(row ^ word)
    return away
