from __future__ import annotations

import hashlib
import math
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainable.bank_file import BankLayout, header, lay_out_bank, map_bank

SIZES = st.lists(st.tuples(st.integers(10, 6000), st.integers(10, 6000)), min_size=1, max_size=30)
KEY = "k" * 40


def write(path: Path, layout: BankLayout) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, layout.pixel_bytes, np.uint8).tobytes()
    path.write_bytes(header(KEY, layout, image_size=64) + pixels)
    return pixels


@given(SIZES, st.integers(32, 2048))
def test_images_lie_one_after_another_without_gap_or_overlap(originals: list[tuple[int, int]], image_size: int) -> None:
    layout = lay_out_bank(originals, image_size)

    end = 0
    for index, (height, width) in enumerate(originals):
        assert layout.offsets[index] == end
        assert layout.original(index) == (height, width)
        end += math.prod(layout.shape(index))
        longer = max(layout.shape(index)[:2])
        assert image_size <= longer <= image_size + 1  # YOLOv5 rounds up, and a quotient may be a bit too large
    assert layout.pixel_bytes == end
    assert len(header(KEY, layout)) % 4096 == 0


def test_what_was_written_is_mapped_read_only(tmp_path: Path) -> None:
    pixels = write(tmp_path / "x", lay_out_bank([(48, 64), (64, 30)], 64))

    bank = map_bank(tmp_path / "x", KEY)

    assert bank is not None
    assert bank.pixels.tobytes() == pixels
    with pytest.raises(ValueError, match="read-only"):
        bank.pixels[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        bank.pixels.flags.writeable = True


def test_a_bank_of_another_key_is_none(tmp_path: Path) -> None:
    write(tmp_path / "x", lay_out_bank([(48, 64)], 64))

    assert map_bank(tmp_path / "x", "other") is None
    assert map_bank(tmp_path / "missing", KEY) is None


def test_a_file_cut_or_grown_anywhere_is_none(tmp_path: Path) -> None:
    write(tmp_path / "x", lay_out_bank([(48, 64), (20, 20)], 64))
    whole = (tmp_path / "x").read_bytes()

    for length in {*range(0, len(whole), 331), 1, 63, 64, 65, 4095, 4096, 4097, len(whole) - 1}:
        (tmp_path / "x").write_bytes(whole[:length])
        assert map_bank(tmp_path / "x", KEY) is None, length
    (tmp_path / "x").write_bytes(whole + b"\0")
    assert map_bank(tmp_path / "x", KEY) is None


@pytest.mark.parametrize("text", [b"[1]", b"{}", b"7", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}'])
def test_a_header_of_another_program_is_none_whatever_its_hash(tmp_path: Path, text: bytes) -> None:
    start = struct.Struct("<8sQQQ32s")
    packed = start.pack(b"HYPBANK\x01", len(text), 0, 0, hashlib.sha256(text).digest()) + text
    (tmp_path / "x").write_bytes(packed.ljust(-(-len(packed) // 4096) * 4096, b"\0"))

    assert map_bank(tmp_path / "x", KEY) is None


def test_a_pipe_in_the_place_of_a_bank_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")

    with pytest.raises(FileExistsError, match="is no file"):
        map_bank(tmp_path / "x", KEY)


def test_any_changed_byte_of_the_header_is_found(tmp_path: Path) -> None:
    layout = lay_out_bank([(48, 64), (20, 20)], 64)
    write(tmp_path / "x", layout)
    whole = (tmp_path / "x").read_bytes()
    used = len(header(KEY, layout, image_size=64).rstrip(b"\0"))

    for position in range(used):
        damaged = bytearray(whole)
        damaged[position] ^= 0x41
        (tmp_path / "x").write_bytes(damaged)
        assert map_bank(tmp_path / "x", KEY) is None, position
