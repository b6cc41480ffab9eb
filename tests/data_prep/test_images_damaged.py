from __future__ import annotations

import logging
import random
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.images import examine_image
from data_prep.records import THUMBNAIL_SIDE
from tests.data_prep.conftest import jpeg
from tests.data_prep.pictures import (
    LIMITS,
    PICTURES,
    as_opencv_sees_it,
    encode,
    flaw_of,
    scene,
)
from tests.data_prep.store.damage import damaged, peak_memory

WHOLE_FILES = {name: content for name, content in PICTURES.items() if "TIFF" not in name}  # its directory may be last


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_every_cut_is_noticed(name: str) -> None:
    content = WHOLE_FILES[name]
    # An MPO is a JPEG with a second one behind it, which nobody reads.
    length = content.index(b"\xff\xd9\xff\xd8") if name == "MPO" else len(content)
    for cut in [*range(0, length, 1 + length // 150), *range(length - 40, length)]:
        flaw_of(content[:cut])


@pytest.mark.parametrize("name", ["JPEG", "JPEG progressive", "JPEG CMYK", "PNG"])
def test_download_that_was_filled_up_with_zeros_is_noticed(name: str) -> None:
    content = PICTURES[name]
    for kept in range(len(content) // 20, len(content) - 20, len(content) // 20):
        flaw_of(content[:kept] + bytes(len(content) - kept))


def test_jpeg_without_its_end_mark_is_cut_as_for_opencv(capfd: pytest.CaptureFixture[str]) -> None:
    assert flaw_of(PICTURES["JPEG"][:-2]) == "ends too early, without the end mark of a JPEG"
    assert as_opencv_sees_it(PICTURES["JPEG"][:-2]) is None
    capfd.readouterr()


def test_end_mark_of_the_preview_is_not_that_of_the_picture() -> None:
    preview = PICTURES["JPEG grey"]
    content = encode(scene(), "JPEG", exif=b"Exif\0\0" + preview)
    assert content.count(b"\xff\xd9") == 2
    assert examine_image(content, LIMITS).flaw is None
    assert "ends too early" in flaw_of(content[:-2] + bytes(2))


@pytest.mark.parametrize("name", PICTURES)
def test_bytes_behind_the_end_are_no_flaw(name: str) -> None:
    seen = examine_image(PICTURES[name] + b"SEFT" * 30, LIMITS)
    assert seen.flaw is None
    assert seen.thumbnail == examine_image(PICTURES[name], LIMITS).thumbnail


def test_every_flipped_bit_of_a_png_is_noticed() -> None:
    content, rng = PICTURES["PNG"], random.Random(6)
    for _ in range(150):
        flipped = bytearray(content)
        flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        flaw_of(bytes(flipped))


def test_damaged_pictures_are_flawed_or_read_by_opencv(capfd: pytest.CaptureFixture[str]) -> None:
    rng, flaws, rounds = random.Random(9), 0, 900
    with peak_memory() as peak:
        for _ in range(rounds):
            content = damaged(rng.choice([*PICTURES.values()]), rng)
            seen = examine_image(content, LIMITS)
            assert seen == examine_image(content, LIMITS)
            if seen.flaw is None:
                pixels = as_opencv_sees_it(content)
                assert pixels is not None
                assert (seen.width, seen.height) == pixels.shape[1::-1]
                assert len(seen.thumbnail) == THUMBNAIL_SIDE**2
            else:
                flaws += 1
                assert seen.flaw.detail.isprintable()
                assert "object at 0x" not in seen.flaw.detail
    assert peak.taken < 200 * 2**20
    assert rounds / 3 < flaws < rounds
    capfd.readouterr()  # OpenCV writes to the terminal


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    start=st.sampled_from([content[:40] for content in PICTURES.values()]),
    kept=st.integers(0, 40),
    rest=st.binary(max_size=200),
)
def test_garbage_is_never_an_exception(start: bytes, kept: int, rest: bytes) -> None:
    seen = examine_image(start[:kept] + rest, LIMITS)
    assert seen.flaw is not None


def test_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(8)
    # A handler like the one that Python falls back to where nothing is configured.
    logging.getLogger("PIL").addHandler(handler := logging.StreamHandler())
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            for name, content in PICTURES.items():
                for _ in range(25 if "TIFF" in name else 8):
                    examine_image(damaged(content, rng), LIMITS)
    finally:
        logging.getLogger("PIL").removeHandler(handler)
    assert capfd.readouterr() == ("", "")
    assert warned == []


def test_threads_see_what_one_thread_sees() -> None:
    rng = random.Random(10)
    contents = [*PICTURES.values(), *(damaged(content, rng) for content in PICTURES.values()), jpeg()] * 4
    alone = [examine_image(content, LIMITS) for content in contents]
    filters, level = [*warnings.filters], logging.getLogger("PIL").level
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(lambda content: examine_image(content, LIMITS), contents)] == alone
    assert [*warnings.filters] == filters
    assert logging.getLogger("PIL").level == level


def test_jpeg_without_height_is_unreadable() -> None:
    content = bytearray(PICTURES["JPEG"])
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 2] = bytes(2)
    flaw_of(bytes(content))
