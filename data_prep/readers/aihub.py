"""Reads the AI Hub livestock archives: two zip files per class, pictures and JSON labels of the same stem.

The class is that of the archive. ``categories`` and ``category_id`` in the label JSON have nothing to do with
it and are ignored, and so is the image size stated there: it is read from the picture's header.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from data_prep.errors import InputError
from data_prep.progress import Progress
from data_prep.readers.base import Unlabelled, by_stem, require_images_for
from data_prep.records import Box, ImageRecord, RawDataset, Source, safe_key
from data_prep.store import RawStore
from data_prep.validation import ConfigPath, FrozenModel, describe


class ArchivePair(FrozenModel):
    """The two archives of one class; names may be stored NFC or NFD."""

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


class _Annotation(BaseModel):
    bbox: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]


class _LabelInfo(BaseModel):
    annotations: tuple[_Annotation, ...]


class _Label(BaseModel):
    """The part of a label JSON that is used; other keys are ignored on purpose."""

    label_info: _LabelInfo


class AihubReader(FrozenModel):
    """Settings of the AI Hub reader, and the reader itself (see :class:`data_prep.readers.base.Reader`)."""

    reader: Literal["aihub"] = "aihub"
    """Chooses this reader."""

    folder: ConfigPath
    """Folder in which the archives lie."""

    classes: dict[str, ArchivePair] = Field(default_factory=livestock_archives, min_length=1)
    """The archives of each class; the order gives the class ids."""

    unlabelled: Unlabelled = Unlabelled.FAIL
    """A picture without JSON: ``fail`` (it is lost: empty pictures have one, too) or ``background``."""

    def read(self, store: RawStore, progress: Progress) -> RawDataset:
        """Return every picture of all archives, class by class.

        Raises:
            InputError: An archive is missing or damaged, a label is no JSON of the expected form, or picture
                and label
                do not match.
        """
        archives = _archives_on_disk(self.folder)
        pairs: list[tuple[int, Source, Source | None]] = []
        for class_id, name in enumerate(self.classes):
            pairs += [(class_id, *pair) for pair in self._pairs(name, archives, store)]
        records = []
        for done, (class_id, image, label) in enumerate(pairs, start=1):
            records.append(_record(store, class_id, image, label))
            progress("read", done, len(pairs))
        return RawDataset(tuple(self.classes), tuple(records))

    def _pairs(self, name: str, archives: Mapping[str, Path], store: RawStore) -> list[tuple[Source, Source | None]]:
        image_zip = self._find(name, "images", archives)
        label_zip = self._find(name, "labels", archives)
        images = by_stem(source for source in store.members(image_zip) if source.is_image)
        labels = by_stem(source for source in store.members(label_zip) if _is_json(source))
        require_images_for(labels, images)
        for stem, image in images.items():
            self._refuse_foreign(name, stem, image)
            if stem not in labels and self.unlabelled is Unlabelled.FAIL:
                message = f"{image} has no label in {label_zip}; add it or set `unlabelled: background`"
                raise InputError(message)
        return [(image, labels.get(stem)) for stem, image in images.items()]

    def _find(self, name: str, kind: Literal["images", "labels"], archives: Mapping[str, Path]) -> Path:
        wanted: str = getattr(self.classes[name], kind)
        try:
            return archives[unicodedata.normalize("NFC", wanted)]
        except KeyError:
            message = f"{self.folder} has no archive {wanted}; put it there or change `classes.{name}.{kind}`"
            raise InputError(message) from None

    def _refuse_foreign(self, name: str, stem: str, image: Source) -> None:
        """Refuse a picture whose file name (``livestock_cow_bbox_..``) says another class than its zip."""
        words = set(re.split(r"[\W_]+", stem))
        for other in self.classes:
            if other != name and other in words and name not in words:
                message = f"{image} is named after `{other}` but lies in the archive of `{name}`; move it"
                raise InputError(message)


def _archives_on_disk(folder: Path) -> dict[str, Path]:
    """Map NFC file names to what lies there, because macOS writes names as NFD."""
    try:
        return {unicodedata.normalize("NFC", path.name): path for path in sorted(folder.iterdir())}
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}); correct `folder`") from error


def _is_json(source: Source) -> bool:
    return source.suffix == ".json" and not source.name.startswith("._")


def _record(store: RawStore, class_id: int, image: Source, label: Source | None) -> ImageRecord:
    width, height = store.image_size(image)
    boxes = () if label is None else _boxes(store.read(label), label, class_id)
    return ImageRecord(safe_key(image.stem), image, width, height, boxes)


def _boxes(content: bytes, label: Source, class_id: int) -> tuple[Box, ...]:
    try:
        parsed = _Label.model_validate(json.loads(_text(content)))
    except ValidationError as error:
        raise InputError(f"{label}: {describe(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{label} is no valid JSON ({error}); replace it") from error
    return tuple(Box(class_id, *annotation.bbox) for annotation in parsed.label_info.annotations)


def _text(content: bytes) -> str:
    """Decode a label written on any Windows; a byte order mark is dropped."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp949")
