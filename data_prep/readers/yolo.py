"""Reads a data set that lies in YOLO folders already, through its stock ``data.yaml``.

A picture without label file is background, as for YOLO itself. Rows with more than five numbers are polygons
and become their bounding box, as in ``yolov5/utils/dataloaders.py``.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Literal

from data_prep.dataset import DatasetYaml, label_path, read_data_yaml
from data_prep.errors import InputError
from data_prep.progress import Progress
from data_prep.readers.base import Unlabelled, by_stem, require_images_for
from data_prep.records import Box, ImageRecord, RawDataset, Source, safe_key
from data_prep.store import RawStore
from data_prep.validation import ConfigPath, FrozenModel

#: How far beyond 0..1 a normalised coordinate may lie before it is taken for a mistake (pixels, say).
_TOLERANCE = 0.01


class YoloReader(FrozenModel):
    """Settings of the YOLO reader, and the reader itself (see :class:`data_prep.readers.base.Reader`)."""

    reader: Literal["yolo"] = "yolo"
    """Chooses this reader."""

    data: ConfigPath
    """The stock ``data.yaml``."""

    unlabelled: Unlabelled = Unlabelled.BACKGROUND
    """A picture without label file: ``background``, as for YOLO itself, or ``fail``."""

    def read(self, store: RawStore, progress: Progress) -> RawDataset:
        """Return the pictures of ``train``, ``val`` and, where there is one, ``test``, kept as their split.

        Raises:
            InputError: A folder or picture cannot be read, a label row is wrong, or a label has no picture.
        """
        dataset = read_data_yaml(self.data)
        splits = ("train", "val", "test") if "test" in dataset.splits else ("train", "val")
        images = [(split, path) for split in splits for path in _images(dataset, split)]
        stems = Counter(path.stem for split, path in images if split != "test")
        records = []
        for done, (split, path) in enumerate(images, start=1):
            # train and val meet in `full`: a stem that stands in both is told apart by its split
            twice = split != "test" and stems[path.stem] > 1
            key = safe_key(f"{split}_{path.stem}" if twice else path.stem)
            records.append(self._record(store, key, split, path, dataset.names))
            progress("read", done, len(images))
        return RawDataset(dataset.names, tuple(records))

    def _record(self, store: RawStore, key: str, split: str, path: Path, names: tuple[str, ...]) -> ImageRecord:
        source = Source(path)
        width, height = store.image_size(source)
        label = label_path(path)
        if label.is_file():
            boxes = _boxes(store, label, width, height, len(names))
        elif self.unlabelled is Unlabelled.FAIL:
            raise InputError(f"{path} has no label {label}; add it or set `unlabelled: background`")
        else:
            boxes = ()
        return ImageRecord(key, source, width, height, boxes, split)


def _images(dataset: DatasetYaml, split: str) -> list[Path]:
    """List the pictures of a split, refusing shared stems and labels that lost their picture."""
    paths = dataset.images(split)
    for folder in sorted({path.parent for path in paths}):
        images = by_stem(Source(path) for path in paths if path.parent == folder)
        if folder in dataset.splits[split]:  # of a list of pictures, others may well stand elsewhere
            found = label_path(folder / "any.jpg").parent.glob("*.txt")
            labels = {label.stem: label for label in map(Source, found) if label.name != "classes.txt"}
            require_images_for(labels, images)
    return paths


def _boxes(store: RawStore, label: Path, width: int, height: int, classes: int) -> tuple[Box, ...]:
    try:
        lines = store.read(Source(label)).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{label} is no text; replace it") from error
    boxes = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            boxes.append(_box(line.split(), f"{label}, line {number}", width, height, classes))
    return tuple(boxes)


def _box(row: list[str], where: str, width: int, height: int, classes: int) -> Box:
    """Parse a row: ``class x_centre y_centre width height`` or ``class x1 y1 x2 y2 x3 y3 ..``, normalised."""
    try:
        class_value, *values = (float(text) for text in row)
    except ValueError:
        raise InputError(f"{where}: {' '.join(row)[:60]!r} is not all numbers; correct the row") from None
    if class_value not in range(classes):
        raise InputError(f"{where}: class {row[0]} is outside 0..{classes - 1}; correct it or extend `names`")
    if not all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in values) or math.isnan(sum(values)):
        raise InputError(f"{where}: {' '.join(row)[:60]!r} is not normalised to 0..1; divide by the image size")
    if len(values) == 4:
        x, y, w, h = values
        left, top, right, bottom = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    elif len(values) >= 6 and len(values) % 2 == 0:
        left, right, top, bottom = min(values[::2]), max(values[::2]), min(values[1::2]), max(values[1::2])
    else:
        raise InputError(f"{where} has {len(row)} numbers; write five for a box or 1 + 2n for a polygon")
    return Box(int(class_value), left * width, top * height, right * width, bottom * height)
