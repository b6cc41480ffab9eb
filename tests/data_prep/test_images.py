from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from data_prep.findings import Kind
from data_prep.images import Examination, examine_image
from data_prep.limits import Limits
from data_prep.records import THUMBNAIL_SIDE
from tests.data_prep.pictures import (
    LIMITS,
    PICTURES,
    as_opencv_sees_it,
    encode,
    flaw_of,
    huge_bmp,
    huge_jpeg,
    huge_webp,
    oriented,
    png,
    scene,
    tiff,
)
from tests.data_prep.store.damage import peak_memory


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
