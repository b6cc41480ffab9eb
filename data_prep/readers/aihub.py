"""Reads the AI Hub livestock archives: two zip files per class, pictures and JSON labels of the same stem.

The class is that of the archive, or that in the picture's file name where classes share one. ``categories`` and
``category_id`` in the label JSON have nothing to do with it and are ignored, and a finding says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from data_prep.errors import InputError
from data_prep.findings import Finding, Kind, Policy
from data_prep.progress import Progress
from data_prep.readers.base import unique_keys
from data_prep.readers.draft import Draft, ids_of, unlabelled
from data_prep.readers.matching import Pair, inner_path, pair_up
from data_prep.readers.parsing import child, four, parse_json, picture_size, read_label
from data_prep.records import RawDataset, Source
from data_prep.store import RawStore
from data_prep.validation import ConfigPath, FrozenModel

_UNCLEAR = "its name does not say which one of {} it shows"


@dataclass(frozen=True, slots=True)
class _Class:
    """The class of a picture, and why that may be wrong."""

    name: str
    doubt: str = ""


class ArchivePair(FrozenModel):
    """The two archives of one class; names may be stored NFC or NFD.

    Classes may share their archives: then the file name of each picture says its class.
    """

    images: str
    """File name of the zip archive that holds the pictures."""

    labels: str
    """File name of the zip archive that holds one JSON per picture."""


def livestock_archives() -> dict[str, ArchivePair]:
    """Return the archives of the AI Hub livestock data: class 0 is pig, class 1 is cow."""
    korean = {"pig": "돼지", "cow": "소"}
    return {
        name: ArchivePair(images=f"[원천]{word}_bbox.zip", labels=f"[라벨]{word}_bbox.zip")
        for name, word in korean.items()
    }


class AihubReader(FrozenModel):
    """Settings of the AI Hub reader, and the reader itself (see :class:`data_prep.readers.base.Reader`)."""

    #: A picture without JSON lost it: empty pictures have one, too.
    usual: ClassVar[Mapping[Kind, Policy]] = {Kind.IMAGE_WITHOUT_LABEL: Policy.FAIL}

    reader: Literal["aihub"] = "aihub"
    """Chooses this reader."""

    folder: ConfigPath
    """Folder in which the archives lie."""

    classes: dict[str, ArchivePair] = Field(default_factory=livestock_archives, min_length=1)
    """The archives of each class; the order gives the class ids."""

    def read(self, store: RawStore, progress: Progress) -> RawDataset:
        """Return every picture of all archives, class by class.

        Raises:
            InputError: An archive is missing or damaged.
        """
        archives = _archives_on_disk(self.folder)
        pairs: list[tuple[_Class, Pair]] = []
        findings: list[Finding] = []
        for place, names in self._classes_by_archive().items():
            found, lost = self._pairs(place, names[0], archives, store)
            pairs += [(_class_of(pair.image.stem, names, list(self.classes)), pair) for pair in found]
            findings += lost
        paths = [f"{found.name}/{inner_path(pair.image, pair.image.path)}" for found, pair in pairs]
        keys = unique_keys([pair.image for _, pair in pairs], paths)
        ids = ids_of(self.classes)
        images, ignored = [], _IgnoredFields()
        for key, (found_class, pair) in zip(keys, pairs, strict=True):
            draft = _draft(store, pair, found_class.name, self.folder, ignored)
            if found_class.doubt:
                draft.complain(found_class.doubt, Kind.CLASS_CONFLICT)
            images.append(draft.image(key, pair.image, ids))
            progress("read", len(images), len(pairs))
        return RawDataset(tuple(self.classes), tuple(images), self.folder, (*findings, *ignored.findings()))

    def _classes_by_archive(self) -> dict[tuple[str, str], list[str]]:
        """Return the classes that share a pair of archives; most often each has its own."""
        found: dict[tuple[str, str], list[str]] = {}
        for name, place in self.classes.items():
            found.setdefault((place.images, place.labels), []).append(name)
        return found

    def _pairs(
        self, place: tuple[str, str], name: str, archives: Mapping[str, Path], store: RawStore
    ) -> tuple[list[Pair], list[Finding]]:
        image_zip, label_zip = (
            self._find(f"{name}.{kind}", wanted, archives)
            for kind, wanted in zip(("images", "labels"), place, strict=True)
        )
        images = [source for source in store.members(image_zip) if source.is_image]
        labels = [source for source in store.members(label_zip) if _is_json(source)]
        pairs, lost = pair_up(images, labels, image_zip, label_zip)
        detail = f"no picture in {image_zip.name} belongs to it"
        return pairs, [Finding(Kind.LABEL_WITHOUT_IMAGE, label.beside(self.folder), detail) for label in lost]

    def _find(self, key: str, wanted: str, archives: Mapping[str, Path]) -> Path:
        try:
            return archives[unicodedata.normalize("NFC", wanted)]
        except KeyError:
            message = f"{self.folder} has no archive {wanted}; put it there or change `classes.{key}`"
            raise InputError(message) from None


class _IgnoredFields:
    """Counts labels that name a class of their own, which is not read."""

    def __init__(self) -> None:
        self._first = ""
        self._count = 0

    def look(self, info: Mapping[str, object], file: str) -> None:
        """Look at one label."""
        annotations = info.get("annotations")
        listed = annotations if isinstance(annotations, list) else []
        if "categories" in info or any(isinstance(one, dict) and "category_id" in one for one in listed):
            self._first = self._first or file
            self._count += 1

    def findings(self) -> Iterator[Finding]:
        """Say it once for the whole data set."""
        if self._count:
            detail = "`category_id` and `categories` are not read: the class is that of archive or file name"
            yield Finding(Kind.IGNORED_FIELD, self._first, f"{detail} (so in {self._count} labels)")


def _archives_on_disk(folder: Path) -> dict[str, Path]:
    """Map NFC file names to what lies there, because macOS writes names as NFD."""
    try:
        return {unicodedata.normalize("NFC", path.name): path for path in sorted(folder.iterdir())}
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}); correct `folder`") from error


def _is_json(source: Source) -> bool:
    return source.suffix == ".json" and not source.name.startswith("._")


def _class_of(stem: str, names: Sequence[str], classes: Sequence[str]) -> _Class:
    """Return the class of a picture in an archive.

    Args:
        stem:
            Its file name (``livestock_cow_bbox_000001``).
        names:
            The classes of the archive. Where there are several, the file name decides.
        classes:
            All classes.
    """
    words = set(re.split(r"[\W_]+", stem))
    said = [name for name in classes if name in words]
    inside = [name for name in names if name in said]
    if len(names) > 1:
        return (
            _Class(inside[0]) if len(said) == len(inside) == 1 else _Class(names[0], _UNCLEAR.format(", ".join(names)))
        )
    if said and not inside:
        return _Class(names[0], f"named after `{said[0]}` but lies in the archive of `{names[0]}`")
    return _Class(names[0])


def _draft(store: RawStore, pair: Pair, name: str, root: Path, ignored: _IgnoredFields) -> Draft:
    if pair.label is None:
        return unlabelled()
    draft = Draft(pair.label.beside(root))
    with draft.reading():
        pair.require_sure()
        info = child(parse_json(read_label(store, pair.label), fallback="cp949"), "label_info", dict)
        ignored.look(info, draft.file)
        size = info.get("image")
        draft.size = picture_size(size.get("width"), size.get("height")) if isinstance(size, dict) else None
        for number, annotation in enumerate(child(info, "annotations", list), start=1):
            with draft.reading(where := f"annotation {number}"):
                draft.add(name, four(child(annotation, "bbox", list)), where)
    return draft
