"""Reads one COCO detection JSON: pictures by file name, with what the file says about each.

Format: ``https://cocodataset.org/#format-data``. Only what is read is kept in memory, so polygons cost none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import InputError
from data_prep.findings import Finding, Kind
from data_prep.names import check_class_names, shown
from data_prep.readers.draft import Draft
from data_prep.readers.parsing import BadLabelError, Corners, child, four, parse_json, picture_size
from data_prep.records import Source
from data_prep.store import RawStore

#: All keys that are read.
_KEYS = frozenset(
    {"images", "annotations", "categories", "id", "name", "file_name", "width", "height", "image_id", "category_id"}
    | {"bbox", "iscrowd"}
)


@dataclass(frozen=True, slots=True)
class CocoFile:
    """What one JSON says.

    Attributes:
        path:
            The JSON.
        names:
            Names of its categories, by their ids.
        pictures:
            File name and draft of every picture under ``images``.
        findings:
            What belongs to no picture.
    """

    path: Path
    names: tuple[str, ...]
    pictures: tuple[tuple[str, Draft], ...]
    findings: tuple[Finding, ...]


def read_coco_file(store: RawStore, path: Path, root: Path) -> CocoFile:
    """Read one JSON.

    Args:
        store:
            Reads its bytes.
        path:
            The JSON.
        root:
            Folder against which reports name it.

    Raises:
        InputError: It cannot be read, is no JSON, lacks ``images``, ``annotations`` or ``categories``, or its
            categories cannot be told apart.
    """
    source = Source(path)
    content = store.read(source, limit=store.limits.annotation_bytes)
    try:
        parsed = parse_json(content, keep=_KEYS)
        parts = [child(parsed, key, list) for key in ("images", "annotations", "categories")]
        categories = _categories(parts[2])
    except ValueError as error:  # BadLabelError, too
        raise InputError(f"{source} {error}; correct the file") from error
    pictures = _Pictures(source.beside(root), categories)
    for entry in parts[0]:
        pictures.list_picture(entry)
    for annotation in parts[1]:
        pictures.annotate(annotation)
    return CocoFile(path, tuple(categories.values()), tuple(pictures.listed), tuple(pictures.findings()))


def _categories(entries: list[Any]) -> dict[int, str]:
    """Return category names by id, sorted by id."""
    found: dict[int, str] = {}
    for entry in entries:
        category_id = entry.get("id") if isinstance(entry, dict) else None
        if type(category_id) is not int:
            raise BadLabelError(f"has a category with the id {shown(category_id)} instead of a whole number")
        if category_id in found:
            raise BadLabelError(f"has two categories with the id {category_id}")
        found[category_id] = entry.get("name")
    if not found:
        raise BadLabelError("has no category")
    ordered = sorted(found)
    try:
        return dict(zip(ordered, check_class_names(found[category_id] for category_id in ordered), strict=True))
    except ValueError as error:
        raise BadLabelError(f"has wrong categories: {error}") from error


class _Pictures:
    """Collects drafts while the entries of one JSON go by."""

    def __init__(self, file: str, categories: dict[int, str]) -> None:
        self.listed: list[tuple[str, Draft]] = []
        self._file = file
        self._categories = categories
        self._by_id: dict[int | str, Draft] = {}
        self._twice: set[int | str] = set()
        self._unlisted: Counter[int | str] = Counter()
        self._bad: list[str] = []

    def list_picture(self, entry: Any) -> None:  # noqa: ANN401 - JSON is anything
        """Take an entry of ``images``."""
        name = entry.get("file_name") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            self._bad.append(f"entry {len(self.listed) + len(self._bad) + 1} of `images` has no file_name")
            return
        draft = Draft(self._file, picture_size(entry.get("width"), entry.get("height")))
        self.listed.append((name, draft))
        image_id = entry.get("id")
        if not _is_id(image_id):
            draft.complain(f"its entry has the id {shown(image_id)} instead of a whole number or text")
        elif image_id in self._by_id:
            self._twice.add(image_id)
            for one in (draft, self._by_id[image_id]):
                one.complain(f"the image id {shown(image_id)} stands twice, so its boxes belong to no one picture")
        else:
            self._by_id[image_id] = draft

    def annotate(self, annotation: Any) -> None:  # noqa: ANN401 - JSON is anything
        """Take an entry of ``annotations``."""
        image_id = annotation.get("image_id") if isinstance(annotation, dict) else None
        if not isinstance(image_id, (int, str)) or not _is_id(image_id):
            where = shown(annotation.get("id")) if isinstance(annotation, dict) else shown(annotation)
            self._bad.append(f"annotation {where} has the image_id {shown(image_id)}")
        elif image_id not in self._by_id:
            self._unlisted[image_id] += 1
        elif image_id not in self._twice:
            draft, where = self._by_id[image_id], f"annotation {shown(annotation.get('id'))}"
            with draft.reading(where):
                self._add(draft, annotation, where)

    def findings(self) -> Iterator[Finding]:
        """Return what belongs to no picture."""
        for detail in self._bad:
            yield Finding(Kind.UNREADABLE_LABEL, self._file, detail)
        for image_id, count in self._unlisted.items():
            detail = f"the image id {shown(image_id)} of {count} annotations is not listed under `images`"
            yield Finding(Kind.LABEL_WITHOUT_IMAGE, self._file, detail)

    def _add(self, draft: Draft, annotation: dict[str, Any], where: str) -> None:
        category, crowd = annotation.get("category_id"), annotation.get("iscrowd", 0)
        if type(category) is not int:
            raise BadLabelError(f"`category_id` is {shown(category)} instead of a whole number")
        if not isinstance(crowd, int) or crowd not in (0, 1):
            raise BadLabelError(f"`iscrowd` is {shown(crowd)} instead of 0 or 1")
        mark = (Kind.CROWD_BOX, "`iscrowd` is 1") if crowd else None
        draft.add(self._categories.get(category, category), _corners(annotation.get("bbox")), where, mark)


def _is_id(value: object) -> bool:
    return type(value) in (int, str)  # `true` and 1.0 would pass for 1


def _corners(bbox: object) -> Corners:
    x, y, w, h = four(bbox)
    return x, y, x + w, y + h
