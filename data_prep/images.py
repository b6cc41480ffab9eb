"""The examination of one picture: size, hash, thumbnail, and whether YOLOv5 can read it.

YOLOv5 7.0 reads pictures with OpenCV, which returns nothing for what it cannot decode. So a picture is flawed unless
its content, whatever its name says, is a whole JPEG, PNG, BMP, WEBP or TIFF: these are the formats that both YOLOv5's
own check (``yolov5/utils/dataloaders.py``, ``IMG_FORMATS``) and OpenCV accept.

What is noticed: a file that ends too early anywhere, also where a download was filled up with zeros; broken checksums
of PNG; scans that do not decode. A JPEG without its end mark counts as cut, because OpenCV does not read it. What is
not noticed, because decoders accept it: flipped bits in the scan of a JPEG, BMP, TIFF or WEBP (they decode to other
colours), zeros in place of the rest of a BMP, TIFF or WEBP, and a JPEG that was cut and given a new end mark. Bytes
behind the end of a picture are no flaw; many cameras write some.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from data_prep.decoders import StrictDecoders
from data_prep.findings import Flaw, Kind
from data_prep.limits import Limits
from data_prep.records import THUMBNAIL_SIDE
from data_prep.text import printable

#: What a file starts with, and its parser. No other parser of Pillow is ever reached.
_PARSERS: Final[dict[bytes, type[ImageFile]]] = {
    b"\xff\xd8\xff": JpegImageFile,  # MPO, too: its first picture, as OpenCV takes it
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"BM": BmpImageFile,
    b"RIFF": WebPImageFile,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
    b"II+\0": TiffImageFile,  # more than 4 GiB
    b"MM\0+": TiffImageFile,
}
#: Pillow takes a BMP that lacks its last bytes, and lets libtiff write to the terminal.
_BY_OPENCV: Final = (BmpImageFile, TiffImageFile)
_TIFF_VERSION = 42
_EXIF_ORIENTATION, _TILE_WIDTH, _TILE_HEIGHT = 0x0112, 0x0142, 0x0143  # tags of TIFF, and so of EXIF
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_QUARTER_TURNS = frozenset({5, 6, 7, 8})
_THUMBNAIL: Final = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
_DRAFT = 4  # sides of the draft that a thumbnail is made of, in sides of the thumbnail, at least
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # markers of JPEG that are followed by a length, and its end
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_MOST_SCANS = 100  # of a JPEG; encoders write about ten, and each costs a pass over the whole picture
_STRICT = StrictDecoders()  # one for all threads, because what it holds belongs to the process


@dataclass(frozen=True, slots=True)
class Examination:
    """What was seen of one picture.

    Attributes:
        width:
            Width in pixels as shown: the EXIF orientation is applied, as OpenCV does; 0 where it is unknown.
        height:
            Height in pixels, likewise.
        sha256:
            Hash of the bytes, hexadecimal.
        thumbnail:
            The picture as shown, in grey, :data:`THUMBNAIL_SIDE` squared, row by row, one byte a pixel; the same on
            any machine with the same Pillow. Empty where the picture has a flaw.
        flaw:
            :attr:`Kind.UNREADABLE_IMAGE` or :attr:`Kind.OVERSIZED_IMAGE`; None for a sound picture.
    """

    width: int
    height: int
    sha256: str
    thumbnail: bytes
    flaw: Flaw | None


class _FlawError(Exception):
    """Ends an examination.

    Attributes:
        kind:
            What is wrong.
        size:
            Width and height where they are why; else None.
    """

    def __init__(self, detail: str, size: tuple[int, int] | None = None) -> None:
        super().__init__(detail)
        self.kind = Kind.UNREADABLE_IMAGE if size is None else Kind.OVERSIZED_IMAGE
        self.size = size


def examine_image(content: bytes, limits: Limits) -> Examination:
    """Look at one picture: header first, then all of it.

    Args:
        content:
            The bytes of the file.
        limits:
            A picture of more than ``image_pixels`` is not decoded.

    Returns:
        What was seen; nothing in ``content`` makes this raise.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    size = (0, 0)
    with _STRICT.held():
        try:
            picture = _open(content, limits)
            size, orientation = _shown(picture)
            return Examination(*size, sha256, _thumbnail(picture, content, orientation), None)
        except _FlawError as error:
            size, flaw = error.size or size, Flaw(error.kind, str(error))
        except Exception as error:  # Pillow's parsers let through whatever a damaged file makes them stumble over
            reason = printable(str(error)) or type(error).__name__
            flaw = Flaw(Kind.UNREADABLE_IMAGE, f"cannot be decoded ({reason})")
    return Examination(*size, sha256, b"", flaw)


def _open(content: bytes, limits: Limits) -> ImageFile:
    """Parse the header; nothing is allocated that is larger than the content."""
    parser = next((parser for start, parser in _PARSERS.items() if content.startswith(start)), None)
    if parser is None or (parser is WebPImageFile and content[8:12] != b"WEBP"):
        raise _FlawError("is no JPEG, PNG, BMP, WEBP or TIFF by its content, and YOLOv5 reads no other")
    if parser is WebPImageFile:
        _require_pixels(_webp_size(content), limits)  # the parser allocates the picture at once
    picture = parser(io.BytesIO(content))
    _require_pixels(picture.size, limits)
    if isinstance(picture, TiffImageFile):
        tile = (picture.tag_v2.get(_TILE_WIDTH, 1), picture.tag_v2.get(_TILE_HEIGHT, 1))
        _require_pixels(tile, limits)  # a tile can be larger than its picture
    return picture


def _require_pixels(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width * height > limits.image_pixels:
        detail = f"has {width} x {height} pixels and {limits.image_pixels} are allowed; raise `limits.image_pixels`"
        raise _FlawError(detail, size)


def _webp_size(content: bytes) -> tuple[int, int]:
    """Return width and height; RFC 9649, sections 2.5 to 2.7."""
    kind, body = content[12:16], content[20:30]
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return bits % 2**14 + 1, (bits >> 14) % 2**14 + 1
    return int.from_bytes(body[6:8], "little") % 2**14, int.from_bytes(body[8:10], "little") % 2**14


def _shown(picture: ImageFile) -> tuple[tuple[int, int], int]:
    """Return the size as shown and the EXIF orientation that is still to be applied; 1 is none."""
    if isinstance(picture, TiffImageFile):
        return picture.size, 1  # Pillow and OpenCV turn it themselves
    orientation = _orientation(picture.info.get("exif", b""))
    return picture.size[::-1] if orientation in _QUARTER_TURNS else picture.size, orientation


def _orientation(exif: bytes) -> int:
    """Return the EXIF orientation as OpenCV reads it: from the first folder, whatever its type says; no XMP.

    Source: CIPA DC-008 (Exif 2.32), 4.6.2 and 4.6.4.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order: Literal["big", "little"] = "little" if exif.startswith(b"II") else "big"
    if int.from_bytes(exif[2:4], order) != _TIFF_VERSION:
        return 1
    at = int.from_bytes(exif[4:8], order)
    for _ in range(int.from_bytes(exif[at : at + 2], order)):
        entry, at = exif[at + 2 : at + 14], at + 12
        if int.from_bytes(entry[:2], order) == _EXIF_ORIENTATION:
            return int.from_bytes(entry[8:10], order)
    return 1


def _thumbnail(picture: ImageFile, content: bytes, orientation: int) -> bytes:
    """Decode all of a picture.

    Raises:
        Exception: It cannot be decoded.
    """
    if isinstance(picture, _BY_OPENCV):
        grey = _decode_by_opencv(content)
    else:
        if isinstance(picture, JpegImageFile):
            _require_whole_jpeg(content)
            # Scaled by the decoder to an eighth at best, in grey: every bit of the scans is still read.
            picture.draft("L", (_DRAFT * THUMBNAIL_SIDE, _DRAFT * THUMBNAIL_SIDE))
        if isinstance(picture, PngImageFile):
            _require_whole_png(content)
        picture.load()
        grey = _grey(picture)
    # A triangle filter as wide as needed: the hard edges of a box filter differ between sizes of the same picture.
    small = grey.resize(_THUMBNAIL, Image.Resampling.BILINEAR, reducing_gap=_DRAFT)
    return (small.transpose(_TURNS[orientation]) if orientation in _TURNS else small).tobytes()


def _require_whole_png(content: bytes) -> None:
    """Check the checksums, which decoding skips.

    Raises:
        Exception: One is wrong.
    """
    if _PNG_END not in content:
        raise _FlawError("ends too early, without the end mark of a PNG")
    PngImageFile(io.BytesIO(content)).verify()


def _require_whole_jpeg(content: bytes) -> None:
    """Walk along the markers of a JPEG to its end mark; ITU-T T.81, B.1.1."""
    scans, at = 0, 2
    while match := _MARKER.search(content, at):
        marker, at = match[0][1], match.end()
        if marker == _END_OF_IMAGE:
            return
        scans += marker == _START_OF_SCAN
        if scans > _MOST_SCANS:
            raise _FlawError(f"has more than {_MOST_SCANS} scans, which takes long to decode; save it anew")
        at += int.from_bytes(content[at : at + 2], "big")
    raise _FlawError("ends too early, without the end mark of a JPEG")


def _decode_by_opencv(content: bytes) -> Image.Image:
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise _FlawError("cannot be decoded by OpenCV, with which YOLOv5 reads pictures")
    return Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))


def _grey(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    return picture.convert("L")
