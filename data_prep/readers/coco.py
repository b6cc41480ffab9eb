"""Reads COCO detection JSON: one file for all pictures, or one per split.

Boxes are ``[x, y, width, height]`` in pixels. Segmentations, keypoints and captions are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, model_validator

from data_prep.errors import InputError
from data_prep.findings import Finding, Kind, Policy
from data_prep.names import shown
from data_prep.progress import Progress
from data_prep.readers.base import ClassNames, unique_keys
from data_prep.readers.coco_json import CocoFile, read_coco_file
from data_prep.readers.draft import Draft, ids_of, unlabelled
from data_prep.readers.matching import Finder, common_root, inner_path, pictures_in
from data_prep.records import RawDataset, Source
from data_prep.store import RawStore
from data_prep.validation import ConfigPath, FrozenModel


def _require_paths(value: object) -> object:
    """Say it in plain words before pydantic lists everything that its union might have been."""
    paths = value if isinstance(value, dict) else {"train": value}
    known = bool(paths) and paths.keys() <= {"train", "val", "test"}
    if known and all(isinstance(path, (str, Path)) for path in paths.values()):
        return value
    raise ValueError("give one path, or one under each of `train`, `val` and `test` that there is")


#: A path, or one per split that the raw data assigns.
BySplit = dict[Literal["train", "val", "test"], ConfigPath]
Paths = Annotated[ConfigPath | BySplit, BeforeValidator(_require_paths)]
_Split = Literal["train", "val", "test"] | None


class CocoReader(FrozenModel):
    """Settings of the COCO reader, and the reader itself (see :class:`data_prep.readers.base.Reader`)."""

    usual: ClassVar[Mapping[Kind, Policy]] = {Kind.IMAGE_WITHOUT_LABEL: Policy.KEEP}

    reader: Literal["coco"] = "coco"
    """Chooses this reader."""

    annotations: Paths
    """The JSON, or one per split: ``{train: .., val: .., test: ..}``."""

    images: Paths
    """Folder, zip or tar with the pictures, or one per split."""

    classes: ClassNames | None = None
    """Names of the categories that are read, in the order of their class ids; None: all, by their category id."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if isinstance(self.images, dict) and self.images.keys() != self._files().keys():
            raise ValueError("`images` and `annotations` must name the same splits")
        return self

    def read(self, store: RawStore, progress: Progress) -> RawDataset:
        """Return every picture of the folders, with the boxes of all JSONs.

        Raises:
            InputError: A JSON, folder or archive cannot be read, or the categories are not clear.
        """
        files = self._files()
        places = _by_split(self.images, files)
        root = common_root(*files.values(), *places.values())
        parsed = {split: read_coco_file(store, file, root) for split, file in files.items()}
        names = self._names(list(parsed.values()))
        findings, rows = [], []
        for place in dict.fromkeys(places.values()):
            shelf = _Shelf.fill(store, place)
            for split in (split for split in files if places[split] == place):
                findings += [*parsed[split].findings, *shelf.take(split, parsed[split], root)]
            rows += list(shelf.rows(apart=len(set(places.values())) > 1))
        keys = unique_keys([row.source for row in rows], [row.path for row in rows])
        ids = ids_of(names)
        images = []
        for key, row in zip(keys, rows, strict=True):
            images.append(row.draft.image(key, row.source, ids, split=row.split))
            progress("read", len(images), len(rows))
        return RawDataset(names, tuple(images), root, tuple(findings))

    def _files(self) -> dict[_Split, Path]:
        return _by_split(self.annotations, [None])

    def _names(self, files: Sequence[CocoFile]) -> tuple[str, ...]:
        if self.classes is None:
            for file in files[1:]:
                if file.names != files[0].names:
                    message = f"{Source(file.path)} and {Source(files[0].path)} have different categories"
                    raise InputError(f"{message}; name those to read under `classes`")
            return files[0].names
        known = {name for file in files for name in file.names}
        for name in self.classes:
            if name not in known:
                raise InputError(f"`classes` has {shown(name)}, which no category is called; correct it")
        return self.classes


def _by_split(paths: Path | BySplit, splits: Iterable[_Split]) -> dict[_Split, Path]:
    return dict[_Split, Path](paths.items()) if isinstance(paths, dict) else dict.fromkeys(splits, paths)


@dataclass(frozen=True, slots=True)
class _Row:
    source: Source
    path: str  # within its folder or archive; with several of these, the split in front
    draft: Draft
    split: _Split


@dataclass(slots=True)
class _Shelf:
    """The pictures of one folder or archive, and what the JSONs say about each."""

    pictures: list[Source]
    paths: list[str]
    finder: Finder
    drafts: list[dict[_Split, list[Draft]]]
    splits: list[_Split] = field(default_factory=list)

    @classmethod
    def fill(cls, store: RawStore, place: Path) -> _Shelf:
        pictures = pictures_in(store, place, "images")
        paths = [inner_path(picture, place) for picture in pictures]
        return cls(pictures, paths, Finder(paths, suffix_optional=False), [{} for _ in pictures])

    def take(self, split: _Split, file: CocoFile, root: Path) -> Iterator[Finding]:
        """Put the drafts of a JSON beside their pictures; one whose picture is missing is a finding."""
        self.splits.append(split)
        for name, draft in file.pictures:
            index = self.finder.find(name)
            if index is None:
                detail = f"{shown(name)} is listed but names no picture, or more than one"
                yield Finding(Kind.LABEL_WITHOUT_IMAGE, Source(file.path).beside(root), detail)
            else:
                self.drafts[index].setdefault(split, []).append(draft)

    def rows(self, *, apart: bool) -> Iterator[_Row]:
        """Return every picture once, or once per split that lists it.

        Args:
            apart:
                Whether there are other folders or archives, so that a path alone does not name a picture.
        """
        front = f"{self.splits[0]}/" if apart else ""
        for picture, path, by_split in zip(self.pictures, self.paths, self.drafts, strict=True):
            for split, drafts in by_split.items():
                yield _Row(picture, front + path, _only(drafts), split)
            if not by_split:
                split = self.splits[0] if len(self.splits) == 1 else None
                yield _Row(picture, front + path, unlabelled(), split)


def _only(drafts: Sequence[Draft]) -> Draft:
    """Return the draft of a picture; entries that claim the same picture make a flaw and no box."""
    if len(drafts) == 1:
        return drafts[0]
    draft = Draft(drafts[0].file)
    draft.complain(f"{len(drafts)} entries under `images` name this picture")
    return draft
