"""What every reader produces: pictures with boxes in pixels, whatever the raw format was.

Example:
    >>> from pathlib import Path
    >>> box = Box(class_id=0, x1=10.0, y1=20.0, x2=60.0, y2=50.0)
    >>> picture = Source(Path("pigs.zip"), "pen/a.jpg")
    >>> record = ImageRecord("a", picture, width=100, height=80, boxes=(box,))
    >>> record.file_name
    'a.jpg'
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data_prep.findings import Finding, Flaw
from data_prep.text import printable

#: File name endings that YOLOv5 7.0 reads as a picture (``yolov5/utils/dataloaders.py``, ``IMG_FORMATS``).
IMAGE_SUFFIXES = frozenset({".bmp", ".dng", ".jpeg", ".jpg", ".mpo", ".pfm", ".png", ".tif", ".tiff", ".webp"})


#: Side in pixels of the thumbnails by which pictures are compared.
THUMBNAIL_SIDE = 32

#: Length of a key in UTF-8: with a suffix, a prefix and a number it is still a file name (255 bytes).
MAX_KEY_BYTES = 200

#: Class id of a box whose class the data set does not know; its picture carries a flaw that says so.
UNKNOWN_CLASS_ID = -1


@dataclass(frozen=True, slots=True)
class Box:
    """One labelled object.

    Attributes:
        class_id:
            Index into the names of the data set; :data:`UNKNOWN_CLASS_ID` only between a reader and the checks.
        x1:
            Left edge in pixels.
        y1:
            Upper edge in pixels.
        x2:
            Right edge in pixels.
        y2:
            Lower edge in pixels.
    """

    class_id: int
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes of one raw file lie: a file, or a member of a zip or tar archive.

    Attributes:
        path:
            The file, or the archive.
        member:
            Name inside the archive as :class:`data_prep.store.RawStore` lists it; None for a plain file.
    """

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """File name without folders."""
        return self.path.name if self.member is None else PurePosixPath(self.member).name

    @property
    def stem(self) -> str:
        """File name without folders and suffix, in Unicode form NFC; image and label meet by it."""
        return unicodedata.normalize("NFC", PurePosixPath(self.name).stem)

    @property
    def suffix(self) -> str:
        """Suffix in lower case with its dot."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def is_image(self) -> bool:
        """Whether the name ends as a picture's does; a macOS resource fork (``._a.jpg``) is none."""
        return self.suffix in IMAGE_SUFFIXES and not self.name.startswith("._")

    def __str__(self) -> str:
        return printable(str(self.path) if self.member is None else f"{self.path}:{self.member}")

    def beside(self, root: Path) -> str:
        """Name it for reports, the same wherever the data lies.

        Args:
            root:
                Folder of the data set; what lies outside is named by its own folder alone.
        """
        inside = self.path.is_relative_to(root) and self.path != root
        shown = (self.path.relative_to(root) if inside else Path(*self.path.parts[-2:])).as_posix()
        return printable(shown if self.member is None else f"{shown}:{self.member}")


@dataclass(frozen=True, slots=True)
class RawImage:
    """One picture as its labels describe it, before anybody looked at the picture itself.

    Attributes:
        key:
            Unique name of the picture within its data set (within ``test`` and within the rest), safe as a file
            name.
        source:
            Where the picture's bytes lie; None where the raw data has boxes and no pictures.
        boxes:
            Its objects; empty for a background picture. In pixels, or, where ``normalised``, as fractions of
            width and height.
        normalised:
            Whether the corners of the boxes are fractions of the picture.
        stated_size:
            ``(width, height)`` in pixels as the label says; None where it says nothing.
        flaws:
            What the reader found wrong with this picture's label.
        source_split:
            Split that the raw data assigns (``train``, ``val`` or ``test``); None where it assigns none.
    """

    key: str
    source: Source | None
    boxes: tuple[Box, ...] = ()
    normalised: bool = False
    stated_size: tuple[int, int] | None = None
    flaws: tuple[Flaw, ...] = ()
    source_split: str | None = None


@dataclass(frozen=True, slots=True)
class RawDataset:
    """All that a reader found.

    Attributes:
        names:
            Class names; a box's ``class_id`` indexes them.
        images:
            One per picture, keys unique within ``test`` and within the rest.
        root:
            Folder against which reports name files.
        findings:
            What belongs to no picture: a label whose picture is missing, a note on the whole data set.
    """

    names: tuple[str, ...]
    images: tuple[RawImage, ...]
    root: Path
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One picture that was looked at, and its boxes as they are exported.

    Attributes:
        key:
            Unique name of the picture within its data set, safe as a file name; the file stem of what is
            exported.
        source:
            Where the picture's bytes lie; they are exported as they are. None where there are boxes alone.
        width:
            Width in pixels of the picture as it is shown (EXIF orientation applied), read from its header.
        height:
            Height in pixels, likewise.
        boxes:
            Its objects, in pixels; empty for a background picture.
        source_split:
            Split that the raw data assigns (``train``, ``val`` or ``test``); None where it assigns none.
        sha256:
            Hash of the picture's bytes, hexadecimal; empty where there is no picture.
        thumbnail:
            The picture in grey, :data:`THUMBNAIL_SIDE` squared, row by row, one byte a pixel, for comparing
            pictures; empty where there is no picture.
    """

    key: str
    source: Source | None
    width: int
    height: int
    boxes: tuple[Box, ...] = ()
    source_split: str | None = None
    sha256: str = ""
    thumbnail: bytes = b""

    @property
    def file_name(self) -> str:
        """Name of the exported picture, without folder."""
        return self.key + ("" if self.source is None else self.source.suffix)


def safe_key(stem: str) -> str:
    r"""Turn the stem of a raw file into a name that can neither leave its folder nor hide itself.

    It does not begin as an option of a command or a formula of a spreadsheet either.

    Example:
        >>> safe_key("..\\pen 3/a:b")
        'pen_3_a_b'
    """
    key = re.sub(r"[^\w.+-]+", "_", unicodedata.normalize("NFC", stem)).lstrip("._+-") or "image"
    return key.encode()[:MAX_KEY_BYTES].decode(errors="ignore")
