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

#: File name endings that YOLOv5 7.0 reads as a picture (``yolov5/utils/dataloaders.py``, ``IMG_FORMATS``).
IMAGE_SUFFIXES = frozenset({".bmp", ".dng", ".jpeg", ".jpg", ".mpo", ".pfm", ".png", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, slots=True)
class Box:
    """One labelled object.

    Attributes:
        class_id:
            Index into the names of the data set.
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
    """Where the bytes of one raw file lie: a file, or a member of a zip archive.

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
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One picture and its boxes.

    Attributes:
        key:
            Unique name of the picture within its data set, safe as a file name; the file stem of what is
            exported.
        source:
            Where the picture's bytes lie; they are exported as they are.
        width:
            Width in pixels of the picture as it is shown (EXIF orientation applied), read from its header.
        height:
            Height in pixels, likewise.
        boxes:
            Its objects; empty for a background picture.
        source_split:
            Split that the raw data assigns (``train``, ``val`` or ``test``); None where it assigns none.
    """

    key: str
    source: Source
    width: int
    height: int
    boxes: tuple[Box, ...] = ()
    source_split: str | None = None

    @property
    def file_name(self) -> str:
        """Name of the exported picture, without folder."""
        return self.key + self.source.suffix


@dataclass(frozen=True, slots=True)
class RawDataset:
    """All that a reader found.

    Attributes:
        names:
            Class names; a box's ``class_id`` indexes them.
        records:
            One per picture, keys unique within ``test`` and within the rest.
    """

    names: tuple[str, ...]
    records: tuple[ImageRecord, ...]


def safe_key(stem: str) -> str:
    r"""Turn the stem of a raw file into a name that can neither leave its folder nor hide itself.

    Example:
        >>> safe_key("..\\pen 3/a:b")
        'pen_3_a_b'
    """
    return re.sub(r"[^\w.+-]+", "_", unicodedata.normalize("NFC", stem)).lstrip("._") or "image"
