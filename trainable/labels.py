"""Labels of a list of images, read as YOLOv5 reads them, without its pickled cache and without touching the images.

YOLOv5's own ``cache_labels`` loads ``labels.cache`` with ``allow_pickle`` (a planted file runs code) and writes a
truncated JPEG anew over the user's file (``verify_image_label``); neither happens here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from data_prep.errors import DataMissingError, ImageError
from data_prep.text import printable
from trainable.bank_check import CheckedImage
from trainable.yolov5_parts import IMG_FORMATS, exif_size, img2label_paths, segments2boxes

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LabelledImages:
    """Images with their labels; index i of each field belongs to image i.

    Attributes:
        files:
            Image files, sorted.
        labels:
            Per image an array of shape (boxes, 5): class, centre x, centre y, width, height, normalised to [0, 1].
        segments:
            Per image a list of polygons of shape (points, 2), normalised; empty where the label holds boxes.
        shapes:
            Array of shape (images, 2): width and height in pixels, after EXIF rotation as YOLOv5 knows it (by a quarter
            turn, without mirroring).
        sizes:
            Array of shape (images, 2): height and width in pixels, after EXIF rotation as OpenCV applies it.
        skipped:
            One sentence for each image that was left out.
    """

    files: tuple[str, ...]
    labels: tuple[Array, ...]
    segments: tuple[tuple[Array, ...], ...]
    shapes: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    skipped: tuple[str, ...]


def read_labels(images: Sequence[CheckedImage], class_count: int, *, skip_broken: bool = True) -> LabelledImages:
    """Read the labels of ``images``; the label of ``.../images/x.jpg`` is ``.../labels/x.txt``.

    An image without a label file is background. Broken is an image that cannot be decoded or whose label is no YOLO
    label (as in YOLOv5's ``verify_image_label``).

    Args:
        images:
            Image files and whether they can be decoded.
        class_count:
            Number of classes of the data set.
        skip_broken:
            Leave broken images out and name them in ``skipped``.

    Raises:
        ImageError: An image is broken and is not to be left out.
        DataMissingError: No image is left, or a label names a class that the data set does not have.
    """
    ordered = sorted(images, key=lambda image: image.file)
    kept, skipped = [], []
    for image, label_file in zip(ordered, img2label_paths([image.file for image in ordered]), strict=True):
        try:
            kept.append((image.file, *_read_one(image, Path(label_file)), (image.height, image.width)))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            skipped.append(printable(f"{image.file}: left out: {error}"))
            continue
        classes = kept[-1][1][:, 0]
        if len(classes) and classes.max() >= class_count:
            # It ends every trial of a sweep, whatever its hyp.
            raise DataMissingError(
                f"{printable(label_file)}: class {int(classes.max())} is not among the {class_count} names of the "
                "data.yaml; add the name or mend the label."
            )
    if skipped and not skip_broken:
        raise ImageError(_refusal(skipped))
    if not kept:
        first = printable(ordered[0].file) if ordered else "data set"
        raise DataMissingError(f"{first}: no image can be used; {(skipped or ['none found'])[0]}")
    columns = list(zip(*kept, strict=True))
    return LabelledImages(
        columns[0], columns[1], columns[2], np.array(columns[3]), np.array(columns[4]), tuple(skipped)
    )  # fmt: skip


def _refusal(skipped: Sequence[str]) -> str:
    others = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
    reason = skipped[0].replace(": left out: ", ": ", 1)
    return f"{reason}{others}; mend or remove it, or set train.broken_images to skip."


def _read_one(checked: CheckedImage, label_file: Path) -> tuple[Array, tuple[Array, ...], tuple[int, int]]:
    if checked.flaw is not None:
        raise ValueError(f"the image {checked.flaw}")
    with Image.open(checked.file) as image:
        image.verify()
        width, height = exif_size(image)
        kind = str(image.format).lower()
    if kind not in IMG_FORMATS:
        raise ValueError(f"the image is a {kind} by its content, which YOLOv5 does not read")
    if width < 10 or height < 10:
        raise ValueError(f"the image is {width}x{height}, smaller than 10 pixels")
    rows = (
        [line.split() for line in label_file.read_text().splitlines() if line.strip()] if label_file.is_file() else []
    )
    if not rows:
        return np.zeros((0, 5), np.float32), (), (width, height)
    labels, segments = drop_duplicates(*_parse_rows(rows))
    return labels, segments, (width, height)


def _parse_rows(rows: list[list[str]]) -> tuple[Array, tuple[Array, ...]]:
    """Rows of a label file as (labels of shape (boxes, 5), polygons)."""
    segments: list[Array] = []
    if any(len(row) > 6 for row in rows):  # YOLOv5's sign for polygons: class, x1, y1, x2, y2, ...
        classes = np.array([row[0] for row in rows], dtype=np.float32)
        segments = [np.array(row[1:], dtype=np.float32).reshape(-1, 2) for row in rows]
        labels = np.concatenate((classes.reshape(-1, 1), segments2boxes(segments)), 1).astype(np.float32)
    else:
        if any(len(row) != 5 for row in rows):
            raise ValueError("a label line needs 5 numbers (class, centre x, centre y, width, height)")
        labels = np.array(rows, dtype=np.float32)
    if not np.isfinite(labels).all():
        raise ValueError("a label holds a number that is not finite")
    if not (labels >= 0).all():
        raise ValueError("a label holds a negative number")
    if not (labels[:, 1:] <= 1).all():
        raise ValueError("a label's coordinates are not normalised to [0, 1]")
    return labels, tuple(segments)


def drop_duplicates(labels: Array, segments: tuple[Array, ...] = ()) -> tuple[Array, tuple[Array, ...]]:
    """Leave of the labels of one image each once, and sort them where one stood twice, as YOLOv5 does."""
    first = np.unique(labels, axis=0, return_index=True)[1]
    if len(first) < len(labels):
        return labels[first], tuple(segments[index] for index in first) if segments else ()
    return labels, segments
