"""The gold data set: its pictures, looked at, and its labels, as they stand in their files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.checks import MIN_IMAGE_SIDE
from data_prep.dataset import DatasetYaml, label_path
from data_prep.errors import InputError
from data_prep.examine import Journal, examine_images
from data_prep.images import Examination
from data_prep.progress import Progress
from data_prep.readers.base import unique_keys
from data_prep.records import Box, ImageRecord, RawImage, Source
from data_prep.silver.merge import PolygonError, Rows, parse_rows
from data_prep.split import FOLDER_OF_KEY, Records, Split
from data_prep.store import RawStore


class LeftOut(NamedTuple):
    """A picture of the gold data set that cannot be used, by YOLOv5 neither.

    Attributes:
        file:
            The picture, within the data set.
        reason:
            Why, in a few words.
    """

    file: str
    reason: str


@dataclass(frozen=True)
class GoldSet:
    """A data set before silver labels.

    Attributes:
        names:
            Class names.
        splits:
            ``train``, ``valid`` and, where there is one, ``test``; sorted by key.
        texts:
            Content of the label file of each picture, by split and key; empty where there is none.
        rows:
            The same parsed, for ``train``.
        left_out:
            What cannot be read.
        unlabelled:
            Those of them that are pictures all the same, whose label cannot be used: none of them may come back as new.
    """

    names: tuple[str, ...]
    splits: Mapping[Split, Records]
    texts: Mapping[tuple[Split, str], str]
    rows: Mapping[str, Rows]
    left_out: tuple[LeftOut, ...]
    unlabelled: tuple[tuple[Split, ImageRecord], ...] = ()

    @property
    def judged(self) -> list[tuple[Split, ImageRecord]]:
        """Pictures that nothing in training may look like."""
        used = [(split, record) for split in (Split.VALID, Split.TEST) for record in self.splits.get(split, ())]
        return used + [(split, record) for split, record in self.unlabelled if split is not Split.TRAIN]

    @property
    def sha256(self) -> str:
        """Hash of all pictures and labels, wherever they lie."""
        digest = hashlib.sha256()
        for split, records in self.splits.items():
            for record in records:
                digest.update(f"{split} {record.file_name} {record.sha256}\n{self.texts[split, record.key]}\n".encode())
        return digest.hexdigest()


def read_gold(data: DatasetYaml, store: RawStore, progress: Progress, journal: Journal | None = None) -> GoldSet:
    """Read pictures and labels of ``train``, ``val`` and, where there is one, ``test``.

    Args:
        data:
            The data set.
        store:
            Reads the bytes.
        progress:
            Told of every picture as stage ``look``.
        journal:
            Spares pictures that were looked at before.

    Raises:
        DataMissingError: A folder or list of pictures is missing.
        InputError: A label holds polygons or an unknown class, or no picture of ``train`` can be used.
    """
    keys = [key for key in FOLDER_OF_KEY if key in data.splits]
    listed = [(FOLDER_OF_KEY[key], path) for key in keys for path in data.images(key)]
    images = [RawImage(key, Source(path)) for key, (_, path) in zip(_keys(data, listed), listed, strict=True)]
    seen = examine_images(images, store, progress, journal)
    splits: dict[Split, list[ImageRecord]] = {FOLDER_OF_KEY[key]: [] for key in keys}
    texts: dict[tuple[Split, str], str] = {}
    rows: dict[str, Rows] = {}
    left_out, unlabelled = [], []
    for (split, path), image, found in zip(listed, images, seen, strict=True):
        try:
            text, own = _labels(data, path, found, store)
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            left_out.append(LeftOut(Source(path).beside(data.path), str(error)))
            if found.flaw is None:
                unlabelled.append((split, labelled(image, found, np.zeros((0, 5), np.float32))))
            continue
        splits[split].append(labelled(image, found, own))
        texts[split, image.key] = text
        if split is Split.TRAIN:
            rows[image.key] = own
    if not splits[Split.TRAIN]:
        raise InputError(f"{data.file}: no picture of `train` can be used; {left_out[0].file}: {left_out[0].reason}.")
    ordered = {split: tuple(sorted(records, key=lambda record: record.key)) for split, records in splits.items()}
    return GoldSet(data.names, ordered, texts, rows, tuple(left_out), tuple(unlabelled))


def labelled(image: RawImage, seen: Examination, rows: Rows) -> ImageRecord:
    """A picture that was looked at, with labels."""
    record = ImageRecord(image.key, image.source, seen.width, seen.height, sha256=seen.sha256, thumbnail=seen.thumbnail)
    return with_rows(record, rows)


def with_rows(record: ImageRecord, rows: Rows) -> ImageRecord:
    """The same picture with other labels."""
    size = np.array([record.width, record.height] * 2, dtype=np.float64)
    boxes = rows[:, 1:].astype(np.float64) * size
    corners = np.concatenate((boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2), 1)
    made = tuple(Box(int(kind), *edges) for kind, edges in zip(rows[:, 0].tolist(), corners.tolist(), strict=True))
    return ImageRecord(
        record.key, record.source, record.width, record.height, made, record.source_split, record.sha256,
        record.thumbnail,
    )  # fmt: skip


def _keys(data: DatasetYaml, listed: Iterable[tuple[Split, Path]]) -> list[str]:
    """A key for each; a test picture may bear a name that train has, too, as in what ``prepare`` writes."""
    pool = [Source(path) for split, path in listed if split is not Split.TEST]
    tests = [Source(path) for split, path in listed if split is Split.TEST]
    return [key for part in (pool, tests) for key in unique_keys(part, [each.beside(data.path) for each in part])]


def _labels(data: DatasetYaml, path: Path, seen: Examination, store: RawStore) -> tuple[str, Rows]:
    """The label of one picture.

    Raises:
        InputError: It holds polygons or an unknown class.
        ValueError: The picture or its label cannot be used.
    """
    if seen.flaw is not None:
        raise ValueError(seen.flaw.detail)
    if min(seen.width, seen.height) < MIN_IMAGE_SIDE:
        raise ValueError(f"has {seen.width} x {seen.height} px, too few for YOLOv5")
    label = label_path(path)
    text = ""
    if os.path.lexists(label):
        try:
            text = store.read(Source(label), store.limits.label_bytes).decode()
        except InputError as error:
            raise ValueError(f"its label {str(error).removeprefix(f'{Source(label)} ')}") from error
        except UnicodeDecodeError as error:
            raise ValueError("its label is no text") from error
    try:
        rows = parse_rows(text)
    except PolygonError as error:
        raise InputError(
            f"{label}: holds polygons, and silver labels are boxes; `hypsweep prepare` makes a data set with their "
            "bounding boxes, take that one."
        ) from error
    if len(rows) and rows[:, 0].max() >= len(data.names):
        count = len(data.names)
        raise InputError(f"{label}: class {rows[:, 0].max():g} is not among the {count} names; mend the label.")
    return text, rows
