"""Whether the images of a data set can be decoded, whole, looked at once per node and remembered.

What trainings leave out must not depend on how they keep images, so it is decided here, before any is kept or read.
"""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import PIL

from data_prep.decoders import StrictDecoders
from data_prep.files import write_atomically
from data_prep.images import examine_image
from data_prep.limits import Limits
from data_prep.pool import threaded_map
from data_prep.text import printable
from trainable.bank_folder import CHECKS, CacheFolder, mark_used
from trainable.bank_key import key_of

logger = logging.getLogger(__name__)

FORMAT = 1
#: YOLOv5 opens images with Pillow, which refuses more than twice ``Image.MAX_IMAGE_PIXELS`` by default.
LIMITS = Limits(image_pixels=2 * (1024**3 // 4 // 3))


@dataclass(frozen=True)
class CheckedImage:
    """An image file and what was found when it was decoded.

    Attributes:
        file:
            The file.
        height, width:
            In pixels, after EXIF rotation as OpenCV applies it; 0 where it cannot be decoded.
        flaw:
            Why it cannot be used; None where it can.
    """

    file: str
    height: int
    width: int
    flaw: str | None


def check_images(files: Sequence[str], manifest: str = "", folder: CacheFolder | None = None) -> list[CheckedImage]:
    """Decode every image, unless another training on this node has done so since the files were changed.

    Args:
        files:
            Image files.
        manifest:
            Hash of the data set's manifest; another one means another data set.
        folder:
            Where the result is remembered; None does not remember it. If it cannot be written to, a warning says so.

    Returns:
        One per file, in order. Nothing in a file makes this raise.
    """
    if folder is None:
        return _look(files)[0]
    key = key_of(files, format=FORMAT, manifest=manifest, opencv=cv2.__version__, pillow=PIL.__version__)
    path = folder.path / f"{key}{CHECKS}"
    known = _recall(path, files)
    if known is not None:
        return known
    try:
        with folder.writing():
            return _recall(path, files) or _look_and_remember(path, files)
    except OSError as error:
        _warn(path, error)
        return _look(files)[0]


def _look_and_remember(path: Path, files: Sequence[str]) -> list[CheckedImage]:
    found, lasting = _look(files)
    if lasting:
        content = json.dumps([[image.height, image.width, image.flaw] for image in found]).encode()
        try:
            write_atomically(path, content)
        except OSError as error:
            _warn(path, error)
    return found


def _recall(path: Path, files: Sequence[str]) -> list[CheckedImage] | None:
    """What was found before; None where nothing was, or the file is damaged."""
    if not path.is_file():  # to open a FIFO would be to wait for it
        return None
    try:
        rows = json.loads(path.read_bytes())
        found = [_image_of(file, *row) for file, row in zip(files, rows, strict=True)]
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    mark_used(path)
    return found


def _image_of(file: str, height: object, width: object, flaw: object) -> CheckedImage:
    if type(height) is not int or type(width) is not int or not (flaw is None or isinstance(flaw, str)):
        raise TypeError
    largest = LIMITS.image_pixels if flaw is None else 0
    if min(height, width) < (flaw is None) or height * width > largest:
        raise ValueError
    return CheckedImage(file, height, width, None if flaw is None else printable(flaw))


def _look(files: Sequence[str]) -> tuple[list[CheckedImage], bool]:
    """Decode every image; also whether the files could all be read, for a disk or network can come back."""
    with StrictDecoders().held():  # around all threads, so that it is the last to put back what was set before
        seen = list(threaded_map(_look_at, files))
    lasting = not any(isinstance(image, OSError) for image in seen)
    return [_unread(image) if isinstance(image, OSError) else image for image in seen], lasting


def _look_at(file: str) -> CheckedImage | OSError:
    try:
        found = Path(file).stat()
        if not stat.S_ISREG(found.st_mode):  # to open a FIFO would be to wait for it
            return CheckedImage(file, 0, 0, "is no file")
        if found.st_size > LIMITS.image_bytes:
            return CheckedImage(file, 0, 0, f"has {found.st_size} bytes, and {LIMITS.image_bytes} are allowed")
        seen = examine_image(Path(file).read_bytes(), LIMITS)
    except OSError as error:
        error.filename = file
        return error
    if seen.flaw is not None:
        return CheckedImage(file, 0, 0, seen.flaw.detail.partition("; raise `limits.")[0])  # no keys of a training
    return _decode(file)


def _unread(error: OSError) -> CheckedImage:
    return CheckedImage(str(error.filename), 0, 0, f"cannot be read ({error.strerror})")


def _decode(file: str) -> CheckedImage:
    """The verdict of OpenCV, which is what trainings read images with; it has decoders and limits of its own."""
    try:
        image = cv2.imread(file)
    except cv2.error:
        image = None
    if image is None:
        return CheckedImage(file, 0, 0, "cannot be decoded by OpenCV, with which YOLOv5 reads images")
    return CheckedImage(file, image.shape[0], image.shape[1], None)


def _warn(path: Path, error: OSError) -> None:
    logger.warning("%s cannot be written (%s): each training checks all images for itself", path, error)
