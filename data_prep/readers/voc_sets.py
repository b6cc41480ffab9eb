"""Reads the lists in ``ImageSets/Main`` of a Pascal VOC data set: which picture belongs to which split."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from data_prep.errors import InputError
from data_prep.findings import Finding, Kind
from data_prep.names import shown
from data_prep.readers.matching import Finder, inner_path
from data_prep.readers.parsing import BadLabelError, text_lines
from data_prep.records import Source
from data_prep.store import RawStore


def read_image_sets(
    store: RawStore, folder: Path, pictures: Sequence[Source], place: Path, root: Path
) -> tuple[dict[Source, str], list[Finding]]:
    """Read ``train.txt``, ``val.txt`` and ``test.txt``, as far as they are there.

    Args:
        store:
            Reads their bytes.
        folder:
            Where they lie.
        pictures:
            All pictures.
        place:
            The folder or archive of the pictures.
        root:
            Folder against which reports name files.

    Returns:
        The split of every listed picture, and a finding for every name that is no picture's.

    Raises:
        InputError: There is no list, one cannot be read, or two of them name the same picture.
    """
    lists = {split: Source(folder / f"{split}.txt") for split in ("train", "val", "test")}
    lists = {split: source for split, source in lists.items() if os.path.lexists(source.path)}
    if not lists:
        raise InputError(f"{Source(folder)} has no train.txt, val.txt or test.txt; correct `image_sets` or remove it")
    finder = Finder([inner_path(picture, place) for picture in pictures], suffix_optional=True)
    found: dict[Source, str] = {}
    findings = []
    for split, source in lists.items():
        for number, line in enumerate(_lines(store, source), start=1):
            index = finder.find(line) if line else None
            if index is not None and found.setdefault(pictures[index], split) != split:
                message = f"{source}, line {number}: {shown(line)} stands in {found[pictures[index]]}.txt, too"
                raise InputError(f"{message}; a picture belongs to one split: remove one line")
            if line and index is None:
                detail = f"line {number}: {shown(line)} names no picture, or more than one"
                findings.append(Finding(Kind.LABEL_WITHOUT_IMAGE, source.beside(root), detail))
    return found, findings


def _lines(store: RawStore, source: Source) -> list[str]:
    try:
        return [line.strip() for line in text_lines(store.read(source, limit=store.limits.annotation_bytes))]
    except BadLabelError as error:
        raise InputError(f"{source} {error}; write one name a line") from error
