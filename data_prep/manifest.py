"""``manifest.json``: what a prepared data set holds and was made from, without dates and absolute paths.

The same raw data, configuration and seed give the same bytes on any machine, so its digest names the data
set.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from data_prep.errors import InputError
from data_prep.progress import Progress
from data_prep.records import ImageRecord
from data_prep.store import RawStore
from data_prep.validation import FrozenModel, describe

MANIFEST_NAME = "manifest.json"


class SplitSummary(FrozenModel):
    """Counts and hashes of one split."""

    images: int
    """Number of pictures."""

    background: int
    """Pictures without a box among them."""

    boxes: dict[str, int]
    """Boxes per class name."""

    list_sha256: str
    """Hash of the picture file names, sorted, one a line."""

    images_sha256: str
    """Hash of the pictures' own SHA-256 values in that order, one a line."""

    labels_sha256: str
    """Hash of the label files' SHA-256 values in that order, one a line."""


class Manifest(FrozenModel):
    """Hand-over from this room to the next."""

    format: int = 1
    """Version of this file's form."""

    names: tuple[str, ...]
    """Class names; class ids index them."""

    seed: int
    """Seed of the split."""

    config: dict[str, Any]
    """The configuration without its paths."""

    inputs_sha256: str
    """Hash of the raw data: names, sizes and boxes of all pictures and their content."""

    repairs: dict[str, int]
    """Boxes that were ``clipped`` at the picture's edge or ``dropped`` for want of area."""

    splits: dict[str, SplitSummary]
    """Per split folder: ``train``, ``valid``, ``mini_train``, ``full`` and, where there is one, ``test``."""

    def to_bytes(self) -> bytes:
        """Return the file's content: sorted keys, UTF-8, one line feed at the end."""
        text = json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False)
        return f"{text}\n".encode()

    @property
    def digest(self) -> str:
        """One SHA-256 that names the data set, for a sweep to record."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def same_origin(self, other: Manifest) -> bool:
        """Tell whether both were made from the same raw data with the same configuration."""
        return self._origin() == other._origin()

    def _origin(self) -> object:
        """Compare as JSON, in which a manifest that was read and one that was made have the same types."""
        origin = self.model_dump(mode="json", exclude={"splits"})
        return json.loads(json.dumps(origin))


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a prepared data set; None where the folder has none.

    Raises:
        InputError: It is there and no manifest of ours.
    """
    path = folder / MANIFEST_NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as error:
        raise InputError(
            f"{path} is no manifest of hypsweep ({describe(error)}); prepare into another folder"
        ) from error


def summarise(
    records: Sequence[ImageRecord], names: Sequence[str], hashes: Mapping[str, tuple[str, str]]
) -> SplitSummary:
    """Count and hash one split.

    Args:
        records:
            Its pictures, sorted by key.
        names:
            Class names.
        hashes:
            Picture file name to the SHA-256 of the picture and of its label.
    """
    counts = Counter(box.class_id for record in records for box in record.boxes)
    files = [record.file_name for record in records]
    return SplitSummary(
        images=len(records),
        background=sum(not record.boxes for record in records),
        boxes={name: counts[class_id] for class_id, name in enumerate(names)},
        list_sha256=_hash_lines(files),
        images_sha256=_hash_lines(hashes[file][0] for file in files),
        labels_sha256=_hash_lines(hashes[file][1] for file in files),
    )


def hash_inputs(records: Sequence[ImageRecord], store: RawStore, progress: Progress) -> str:
    """Hash everything that the raw data contributes, whatever the order and the place it was read from."""
    lines = []
    for done, record in enumerate(records, start=1):
        boxes = [[box.class_id, box.x1, box.y1, box.x2, box.y2] for box in record.boxes]
        content = store.fingerprint(record.source)
        lines.append(json.dumps([record.file_name, record.source_split, record.width, record.height, boxes, content]))
        progress("hash", done, len(records))
    return _hash_lines(sorted(lines))


def _hash_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
