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
from typing import Any, Literal

from pydantic import ValidationError

from data_prep.errors import InputError
from data_prep.records import ImageRecord
from data_prep.validation import FrozenModel, describe

MANIFEST_NAME = "manifest.json"
#: Hash of every picture, label, list and archive, in the form of ``sha256sum``.
FILES_NAME = "files.sha256"


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


class Manifest(FrozenModel):
    """Hand-over from this room to the next."""

    format: Literal[2] = 2
    """Version of this file's form."""

    names: tuple[str, ...]
    """Class names; class ids index them."""

    seed: int
    """Seed of the split."""

    config: dict[str, Any]
    """The configuration without its paths."""

    inputs_sha256: str
    """Hash of the raw data: names, sizes, boxes and content of all pictures that were not left out."""

    findings: dict[str, dict[str, int]]
    """How many findings there were per kind and policy; ``findings.csv`` lists them."""

    groups: int
    """Number of groups of pictures that were kept on one side; a picture alone is one."""

    groups_sha256: str
    """Hash of which picture is in which group."""

    splits: dict[str, SplitSummary]
    """Per split folder: ``train``, ``valid``, ``mini_train``, ``full`` and, where there are, ``test`` and ``gold``."""

    folds: tuple[int, ...] = ()
    """Pictures per fold; empty where no folds were asked for."""

    files_sha256: str = ""
    """Hash of ``files.sha256``, which has one line per picture, label, list, table and archive."""

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
        return self.origin == other.origin

    @property
    def origin(self) -> str:
        """Hash of all that was known before the first byte was written."""
        planned = self.model_dump(mode="json", exclude={"files_sha256"})
        return hashlib.sha256(json.dumps(planned, sort_keys=True).encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of a prepared data set; None where the folder has none.

    Raises:
        InputError: It is there and no manifest of ours.
    """
    path = folder / MANIFEST_NAME
    try:
        # To open a FIFO would be to wait for it.
        return Manifest.model_validate_json(path.read_bytes()) if path.is_file() else None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error
    except ValidationError as error:
        message = f"{path} is no manifest of this version of hypsweep ({describe(error)})"
        raise InputError(f"{message}; prepare the data set anew in another folder or remove that file") from error


def summarise(records: Sequence[ImageRecord], names: Sequence[str]) -> SplitSummary:
    """Count one split.

    Args:
        records:
            Its pictures, sorted by key.
        names:
            Class names.
    """
    counts = Counter(box.class_id for record in records for box in record.boxes)
    return SplitSummary(
        images=len(records),
        background=sum(not record.boxes for record in records),
        boxes={name: counts[class_id] for class_id, name in enumerate(names)},
        list_sha256=_hash_lines(record.file_name for record in records),
    )


def hash_inputs(records: Iterable[ImageRecord]) -> str:
    """Hash everything that the raw data contributes, whatever the order and the place it was read from."""
    return _hash_lines(sorted(_line(record) for record in records))


def hash_groups(groups: Mapping[str, int]) -> str:
    """Hash the group of every picture, by key."""
    return _hash_lines(f"{key},{group}" for key, group in sorted(groups.items()))


def _line(record: ImageRecord) -> str:
    boxes = [[box.class_id, box.x1, box.y1, box.x2, box.y2] for box in record.boxes]
    size = [record.width, record.height]
    return json.dumps([record.file_name, record.source_split, size, boxes, record.sha256])


def _hash_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
