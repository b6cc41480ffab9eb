"""Reads a table of boxes in the form of Open Images and of the competition's ``answer.csv``.

Columns are found by name: ``ImageID,LabelName,XMin,XMax,YMin,YMax``; others are ignored, but for ``IsGroupOf``
of Open Images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal, Self

from pydantic import PositiveInt, model_validator

from data_prep.findings import Finding, Kind, Policy
from data_prep.names import shown
from data_prep.progress import Progress
from data_prep.readers.base import ClassNames, unique_keys
from data_prep.readers.box_table import read_box_table
from data_prep.readers.draft import Draft, class_ids, unlabelled
from data_prep.readers.matching import Finder, common_root, inner_path, pictures_in
from data_prep.records import IMAGE_SUFFIXES, RawDataset, Source
from data_prep.store import RawStore
from data_prep.validation import ConfigPath, FrozenModel


class CsvReader(FrozenModel):
    """Settings of the reader of box tables, and the reader itself (see :class:`data_prep.readers.base.Reader`)."""

    usual: ClassVar[Mapping[Kind, Policy]] = {Kind.IMAGE_WITHOUT_LABEL: Policy.KEEP}

    reader: Literal["csv"] = "csv"
    """Chooses this reader."""

    annotations: ConfigPath
    """The table, in UTF-8, with its column names in the first line; a row is one line."""

    images: ConfigPath | None = None
    """Folder, zip or tar with the pictures; None where there are none, only boxes."""

    image_size: tuple[PositiveInt, PositiveInt] | None = None
    """``[width, height]`` in pixels of every picture; a must where ``images`` is missing, else not allowed."""

    normalised: bool = True
    """Whether corners are fractions of width and height; else pixels."""

    classes: ClassNames | None = None
    """Names of the classes that are read, in the order of their ids; None: all names that are found, sorted, a
    misspelt one among them."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.images is None) == (self.image_size is None):
            raise ValueError("give `images`, or `image_size` where there are no pictures")
        return self

    def read(self, store: RawStore, progress: Progress) -> RawDataset:
        """Return every picture of the folder, or every picture that the table names where there is no folder.

        Raises:
            InputError: The table cannot be read, lacks a column or names no class, or the folder cannot be read.
        """
        root = common_root(self.annotations, self.images)
        file = Source(self.annotations).beside(root)
        drafts, findings = read_box_table(store, self.annotations, file, normalised=self.normalised)
        names, ids = class_ids(self.classes, drafts.values(), Source(self.annotations))
        sources: Sequence[Source | None] = [None] * len(drafts)
        paths, rows = [_with_suffix(name) for name in drafts], list(drafts.values())
        if self.images is not None:
            sources = pictures_in(store, self.images, "images")
            paths = [inner_path(source, self.images) for source in sources if source is not None]
            rows, lost = _assign(drafts, paths, file)
            findings += lost
        keys = unique_keys([Source(Path(path)) for path in paths], paths)
        images = []
        for key, source, draft in zip(keys, sources, rows, strict=True):
            draft.size = self.image_size
            images.append(draft.image(key, source, ids, normalised=self.normalised))
            progress("read", len(images), len(rows))
        return RawDataset(names, tuple(images), root, tuple(findings))


def _assign(drafts: Mapping[str, Draft], paths: Sequence[str], file: str) -> tuple[list[Draft], list[Finding]]:
    """Return a draft per picture, and a finding for every ``ImageID`` that is no picture's."""
    finder = Finder(paths, suffix_optional=True)
    claims: dict[int | None, list[str]] = defaultdict(list)
    for name in drafts:
        claims[finder.find(name)].append(name)
    lost = [
        Finding(Kind.LABEL_WITHOUT_IMAGE, file, f"the ImageID {shown(name)} names no picture, or more than one")
        for name in claims.pop(None, [])
    ]
    rows = []
    for index in range(len(paths)):
        names = claims.get(index, [])
        draft = drafts[names[0]] if names else unlabelled()
        if len(names) > 1:  # to put the rows together might be right, but nobody said so
            draft = Draft(file)
            draft.complain(f"the ImageIDs {shown(names[0])} and {shown(names[1])} both name it; use one of them")
        rows.append(draft)
    return rows, lost


def _with_suffix(name: str) -> str:
    """Return a picture's name with a suffix, because a dot elsewhere in an ``ImageID`` begins none."""
    return name if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES else f"{name}.jpg"
