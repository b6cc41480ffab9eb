from __future__ import annotations

import hashlib
import io
import logging
import random
import struct
import warnings
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from data_prep.findings import Kind
from data_prep.images import Examination, examine_image
from data_prep.limits import Limits
from data_prep.records import THUMBNAIL_SIDE
from tests.data_prep.conftest import jpeg
from tests.data_prep.store.damage import damaged, peak_memory

LIMITS = Limits()
EXIF_ORIENTATION = 0x0112


def scene(width: int = 97, height: int = 61, detail: int = 4) -> Image.Image:
    """A picture without symmetry, rough and fine at once."""
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 256, (detail, detail + 1, 3)).astype(np.float32)
    fine = rng.normal(0, 6, (height, width, 3))
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return Image.fromarray(np.clip(smooth + fine, 0, 255).astype(np.uint8))


def encode(picture: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def sixteen_bits(picture: Image.Image) -> Image.Image:
    grey = np.asarray(picture.convert("L")).astype(np.uint16)
    return Image.fromarray(grey * 256 + (255 - grey))


def oriented(form: str, orientation: int) -> bytes:
    if form == "TIFF":
        return encode(scene(), form, tiffinfo={EXIF_ORIENTATION: orientation})
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    return encode(scene(), form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))


def pictures() -> dict[str, bytes]:
    picture = scene()
    palette, alpha = picture.quantize(16), picture.convert("RGBA")
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return {
        "JPEG": encode(picture, "JPEG", quality=90),
        "JPEG with EXIF": oriented("JPEG", 6),
        "JPEG progressive": encode(picture, "JPEG", progressive=True),
        "JPEG with restarts": encode(picture, "JPEG", restart_marker_blocks=1),
        "JPEG CMYK": encode(picture.convert("CMYK"), "JPEG"),
        "JPEG grey": encode(picture.convert("L"), "JPEG"),
        "MPO": encode(picture, "MPO", save_all=True, append_images=[mirrored]),
        "PNG": encode(picture, "PNG"),
        "PNG with EXIF": oriented("PNG", 8),
        "PNG palette": encode(palette, "PNG"),
        "PNG with alpha": encode(alpha, "PNG"),
        "PNG 16 bits": encode(sixteen_bits(picture), "PNG"),
        "PNG 1 bit": encode(picture.convert("1"), "PNG"),
        "PNG animated": encode(picture, "PNG", save_all=True, append_images=[mirrored]),
        "BMP": encode(picture, "BMP"),
        "BMP palette": encode(palette, "BMP"),
        "WEBP": encode(picture, "WEBP"),
        "WEBP with EXIF": oriented("WEBP", 5),
        "WEBP lossless": encode(picture, "WEBP", lossless=True),
        "WEBP animated": encode(picture, "WEBP", save_all=True, append_images=[mirrored]),
        "TIFF": encode(picture, "TIFF"),
        "TIFF 16 bits": encode(sixteen_bits(picture), "TIFF"),
        "TIFF LZW": encode(picture, "TIFF", compression="tiff_lzw"),
        "TIFF deflate": encode(picture, "TIFF", compression="tiff_deflate"),
        "TIFF fax": encode(picture.convert("1"), "TIFF", compression="group4"),
        "TIFF big": encode(picture, "TIFF", big_tiff=True),
    }


PICTURES = pictures()
WHOLE_FILES = {name: content for name, content in PICTURES.items() if "TIFF" not in name}  # its directory may be last


def flaw_of(content: bytes, limits: Limits = LIMITS) -> str:
    """Return the words about an unreadable picture."""
    seen = examine_image(content, limits)
    assert seen.flaw is not None
    assert seen.flaw.kind is Kind.UNREADABLE_IMAGE
    assert seen.thumbnail == b""
    assert seen.sha256 == hashlib.sha256(content).hexdigest()
    return seen.flaw.detail


def as_opencv_sees_it(content: bytes) -> npt.NDArray[np.uint8] | None:
    """Decode as YOLOv5 does."""
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def require_alike(seen: Examination, content: bytes, tolerance: float) -> None:
    """Hold size and thumbnail against OpenCV's."""
    pixels = as_opencv_sees_it(content)
    assert pixels is not None
    assert (seen.width, seen.height) == pixels.shape[1::-1]
    # Twice the support of one cell, as the triangle has it; INTER_AREA is the plain mean.
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    expected = cv2.resize(grey, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    thumbnail = np.frombuffer(seen.thumbnail, np.uint8).reshape(THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    assert np.abs(thumbnail.astype(int) - expected).mean() < tolerance


@pytest.mark.parametrize("name", PICTURES)
def test_sound_pictures_are_seen_as_opencv_sees_them(name: str) -> None:
    seen = examine_image(PICTURES[name], LIMITS)
    assert seen.flaw is None
    assert seen.sha256 == hashlib.sha256(PICTURES[name]).hexdigest()
    require_alike(seen, PICTURES[name], tolerance=12 if "1 bit" in name or "fax" in name else 5)
    assert examine_image(PICTURES[name], LIMITS) == seen


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_as_opencv_does(form: str) -> None:
    plain = np.frombuffer(examine_image(oriented(form, 1), LIMITS).thumbnail, np.uint8).reshape(32, 32)
    for orientation in range(10):  # 0 and 9 mean nothing
        content = oriented(form, orientation)
        seen = examine_image(content, LIMITS)
        assert (seen.width, seen.height) == ((61, 97) if orientation in (5, 6, 7, 8) else (97, 61))
        require_alike(seen, content, tolerance=5)
        turned = np.abs(np.frombuffer(seen.thumbnail, np.uint8).reshape(32, 32).astype(int) - plain).mean()
        assert (turned < 2) == (orientation in (0, 1, 9))


TURNED = b"\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"  # a folder with one entry: orientation 6


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0garbage",
        b"Exif\0\0MM\0*" + TURNED,
        b"Exif\0\0MM\0+" + TURNED,
        b"Exif\0\0MM*\0" + TURNED,
        b"Exif\0\0XM\0*" + TURNED,
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0II*\0" + b"\xff" * 9,
    ],
)
def test_broken_exif_counts_as_in_opencv(exif: bytes) -> None:
    content = encode(scene(), "JPEG", exif=exif)
    require_alike(examine_image(content, LIMITS), content, tolerance=5)


def test_orientation_in_xmp_does_not_count_as_in_opencv() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    content = encode(scene(), "JPEG", xmp=xmp)
    seen = examine_image(content, LIMITS)
    assert (seen.width, seen.height) == (97, 61)
    require_alike(seen, content, tolerance=5)


def test_thumbnail_hardly_depends_on_the_size() -> None:
    large = scene(1920, 1080, detail=40)
    thumbnails = [
        np.frombuffer(examine_image(encode(large.resize(size), "JPEG", quality=quality), LIMITS).thumbnail, np.uint8)
        for size, quality in (((1920, 1080), 95), ((1280, 720), 70), ((640, 360), 70), ((320, 180), 90))
    ]
    thumbnails.append(np.frombuffer(examine_image(encode(large, "PNG"), LIMITS).thumbnail, np.uint8))
    for other in thumbnails[1:]:
        assert np.abs(thumbnails[0].astype(int) - other).mean() < 1


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2, 5)])
def test_tiny_and_thin_pictures_are_seen(size: tuple[int, int]) -> None:
    for form in ("JPEG", "PNG", "WEBP", "BMP", "TIFF"):
        seen = examine_image(encode(Image.new("RGB", size, (9, 9, 9)), form), LIMITS)
        assert (seen.width, seen.height, seen.flaw) == (*size, None)
        assert set(seen.thumbnail) <= {8, 9, 10}


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


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def huge_jpeg() -> bytes:
    content = bytearray(PICTURES["JPEG"])
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">2H", 65500, 65500)
    return bytes(content)


def huge_webp() -> bytes:
    content = bytearray(PICTURES["WEBP animated"])
    content[24:30] = b"\xff\xff\xff\xff\xff\x00"
    return bytes(content)


def huge_bmp() -> bytes:
    content = bytearray(PICTURES["BMP"])
    content[18:26] = struct.pack("<2i", 60000, -60000)
    return bytes(content)


def tiff(**changes: int) -> bytes:
    """A grey TIFF of 10 x 10 pixels in one uncompressed strip or tile."""
    tags = {256: 10, 257: 10, 258: 8, 259: 1, 262: 1, 277: 1, 278: 10, 279: 100, 273: 0}
    tags |= {int(tag.removeprefix("tag")): value for tag, value in changes.items()}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<2H2I", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + bytes(range(100))


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (png(60000, 60000, (b"IDAT", zlib.compress(bytes(100)))), (60000, 60000)),
        (huge_jpeg(), (65500, 65500)),
        (huge_webp(), (2**24, 2**16)),
        (huge_bmp(), (60000, 60000)),
        (tiff(tag256=60000, tag257=60000), (60000, 60000)),
        (tiff(tag322=2**16, tag323=2**16, tag324=8, tag325=100), (2**16, 2**16)),
    ],
    ids=["PNG", "JPEG", "WEBP", "BMP", "TIFF", "TIFF tile"],
)
def test_absurd_sizes_are_refused_before_anything_is_decoded(content: bytes, size: tuple[int, int]) -> None:
    with peak_memory() as peak:
        seen = examine_image(content, LIMITS)
    assert seen.flaw is not None
    assert seen.flaw.kind is Kind.OVERSIZED_IMAGE
    assert (seen.width, seen.height, seen.thumbnail) == (*size, b"")
    assert seen.flaw.detail.startswith(f"has {size[0]} x {size[1]} pixels and 100000000 are allowed")
    assert peak.taken < 20 * 2**20


@pytest.mark.parametrize("name", PICTURES)
def test_limit_of_pixels_is_exact(name: str) -> None:
    assert examine_image(PICTURES[name], Limits(image_pixels=97 * 61)).flaw is None
    seen = examine_image(PICTURES[name], Limits(image_pixels=97 * 61 - 1))
    assert seen.flaw is not None
    assert seen.flaw.kind is Kind.OVERSIZED_IMAGE


def test_picture_that_promises_more_than_it_has_takes_little_memory() -> None:
    with peak_memory() as peak:
        flaw_of(png(9999, 9999, (b"IDAT", zlib.compress(bytes(100)))))
        flaw_of(huge_bmp()[:18] + struct.pack("<2i", 9999, 9999) + PICTURES["BMP"][26:])
        flaw_of(tiff(tag256=9999, tag257=9999))
    assert peak.taken < 200 * 2**20


def test_jpeg_of_a_thousand_scans_is_refused_unread() -> None:
    content = encode(scene(600, 400), "JPEG", progressive=True)
    last_scan = content[content.rindex(b"\xff\xda") : -2]
    assert "has more than 100 scans" in flaw_of(content[:-2] + last_scan * 1000 + content[-2:])


def test_texts_that_unpack_without_end_are_refused() -> None:
    bomb = zlib.compress(bytes(80 * 2**20), 9)
    image = (b"IDAT", zlib.compress(bytes((3 * 4 + 1) * 4)))
    assert examine_image(png(4, 4, image), LIMITS).flaw is None
    with peak_memory() as peak:
        flaw_of(png(4, 4, (b"zTXt", b"key\0\0" + bomb), image))
        flaw_of(png(4, 4, (b"iTXt", b"key\0\1\0\0\0" + bomb), image))
    assert peak.taken < 100 * 2**20


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"\xff\xd8",
        b"RIFF\xff\xff\xff\xffWAVEVP8X\x0a\0\0\0" + b"\xff" * 20,
        encode(scene(), "GIF"),
        encode(scene(), "PPM"),
        encode(scene(), "TGA"),
        encode(scene(), "JPEG2000"),
        encode(scene(), "ICO"),
        b"%PDF-1.4",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"\0" * 5000,
    ],
)
def test_other_formats_are_refused_whatever_the_name_says(content: bytes) -> None:
    assert flaw_of(content) == "is no JPEG, PNG, BMP, WEBP or TIFF by its content, and YOLOv5 reads no other"


def test_samples_that_opencv_does_not_read_are_a_flaw(capfd: pytest.CaptureFixture[str]) -> None:
    for mode in "FI":
        content = encode(scene().convert("L").convert(mode), "TIFF")
        assert "cannot be decoded by OpenCV" in flaw_of(content)
    assert capfd.readouterr() == ("", "")


def test_jpeg_without_height_is_unreadable() -> None:
    content = bytearray(PICTURES["JPEG"])
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 2] = bytes(2)
    flaw_of(bytes(content))


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What other libraries set for the whole process."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    yield
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.usefixtures("lenient")
def test_switches_of_other_libraries_do_not_matter() -> None:
    for name, content in PICTURES.items():
        if "WEBP" not in name:  # Pillow holds a WEBP against its own limit, too
            assert examine_image(content, LIMITS).flaw is None, name
    for name in ("JPEG", "PNG", "BMP", "WEBP"):
        flaw_of(PICTURES[name][: len(PICTURES[name]) // 2])
    no_scan = bytearray(PICTURES["JPEG"])
    no_scan[no_scan.index(b"\xff\xda") + 5] ^= 0x40  # a scan of a component that there is not
    flaw_of(bytes(no_scan))


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


def test_threads_see_what_one_thread_sees() -> None:
    rng = random.Random(10)
    contents = [*PICTURES.values(), *(damaged(content, rng) for content in PICTURES.values()), jpeg()] * 4
    alone = [examine_image(content, LIMITS) for content in contents]
    filters, level = [*warnings.filters], logging.getLogger("PIL").level
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(lambda content: examine_image(content, LIMITS), contents)] == alone
    assert [*warnings.filters] == filters
    assert logging.getLogger("PIL").level == level
