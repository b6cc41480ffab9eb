"""Pictures in every form that is examined, crafted ones that must be refused, and how OpenCV sees them."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from data_prep.findings import Kind
from data_prep.images import examine_image
from data_prep.limits import Limits

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
