"""Reads Pascal VOC: one XML per picture, boxes in pixels as corners.

Picture and XML meet by their stem, by their path where stems repeat in folders; the ``<filename>`` inside is
ignored, because annotation tools leave it behind when files are renamed. Objects are the ``<object>`` elements
directly below the root; body parts (``<part>``) inside them are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal
from xml.etree.ElementTree import Element

from data_prep.findings import Finding, Kind, Policy
from data_prep.names import is_class_name, shown
from data_prep.progress import Progress
from data_prep.readers.base import ClassNames, unique_keys
from data_prep.readers.draft import Draft, class_ids, unlabelled
from data_prep.readers.matching import Pair, common_root, inner_path, pair_up, pictures_in
from data_prep.readers.parsing import BadLabelError, Corners, finite_text, picture_size, read_label
from data_prep.readers.safe_xml import parse_xml
from data_prep.readers.voc_sets import read_image_sets
from data_prep.records import RawDataset, Source
from data_prep.store import RawStore
from data_prep.validation import ConfigPath, FrozenModel


class VocReader(FrozenModel):
    """Settings of the Pascal VOC reader, and the reader itself (see :class:`data_prep.readers.base.Reader`)."""

    #: An empty picture has an XML without objects; one without XML lost it.
    usual: ClassVar[Mapping[Kind, Policy]] = {Kind.IMAGE_WITHOUT_LABEL: Policy.FAIL}

    reader: Literal["voc"] = "voc"
    """Chooses this reader."""

    annotations: ConfigPath
    """Folder, zip or tar with the XML files."""

    images: ConfigPath
    """Folder, zip or tar with the pictures."""

    image_sets: ConfigPath | None = None
    """Folder (``ImageSets/Main``) with ``train.txt``, ``val.txt`` and ``test.txt``, as far as they are there, which
    list the pictures of each split, one name a line; other lists are ignored. None: no splits."""

    classes: ClassNames | None = None
    """Names of the classes that are read, in the order of their ids; None: all names that are found, sorted, a
    misspelt one among them."""

    first_pixel: Literal[0, 1] = 0
    """Number of the leftmost and of the uppermost pixel. 0 takes coordinates as they stand, as most tools that
    write VOC mean them; 1 is the original PASCAL VOC, which counts pixels from 1 and includes the last: xmin and
    ymin become one less, as in Detectron2 (``detectron2/data/datasets/pascal_voc.py``)."""

    def read(self, store: RawStore, progress: Progress) -> RawDataset:
        """Return every picture of the folder or archive.

        Raises:
            InputError: A folder, archive or list cannot be read, or two lists name the same picture.
        """
        root = common_root(self.annotations, self.images)
        pictures = pictures_in(store, self.images, "images")
        labels = [source for source in store.files(self.annotations) if _is_xml(source)]
        pairs, lost = pair_up(pictures, labels, self.images, self.annotations)
        findings = [Finding(Kind.LABEL_WITHOUT_IMAGE, one.beside(root), "no picture belongs to it") for one in lost]
        splits: Mapping[Source, str] = {}
        if self.image_sets is not None:
            splits, unmatched = read_image_sets(store, self.image_sets, pictures, self.images, root)
            findings += unmatched
        drafts = []
        for pair in pairs:
            drafts.append(_draft(store, pair, root, self.first_pixel))
            progress("read", len(drafts), len(pairs))
        names, ids = class_ids(self.classes, drafts, Source(self.annotations))
        keys = unique_keys(pictures, [inner_path(picture, self.images) for picture in pictures])
        images = [
            draft.image(key, picture, ids, split=splits.get(picture))
            for key, picture, draft in zip(keys, pictures, drafts, strict=True)
        ]
        return RawDataset(names, tuple(images), root, tuple(findings))


def _is_xml(source: Source) -> bool:
    return source.suffix == ".xml" and not source.name.startswith("._")


def _draft(store: RawStore, pair: Pair, root: Path, first_pixel: int) -> Draft:
    if pair.label is None:
        return unlabelled()
    draft = Draft(pair.label.beside(root))
    with draft.reading():
        pair.require_sure()
        annotation = parse_xml(read_label(store, pair.label))
        if annotation.tag != "annotation":
            raise BadLabelError(f"has the root {shown(annotation.tag)} instead of 'annotation'")
        draft.size = _stated_size(annotation)
        for number, found in enumerate(annotation.findall("object"), start=1):
            with draft.reading(where := f"object {number}"):
                _add(draft, found, where, first_pixel)
    return draft


def _add(draft: Draft, found: Element, where: str, first_pixel: int) -> None:
    name = _text(found, "name")
    if not is_class_name(name):
        raise BadLabelError(f"{shown(name)} is no class name")
    difficult = _text(found, "difficult") if found.find("difficult") is not None else "0"
    if difficult not in ("0", "1"):
        raise BadLabelError(f"`difficult` is {shown(difficult)} instead of 0 or 1")
    mark = (Kind.DIFFICULT_BOX, "marked as difficult") if difficult == "1" else None
    draft.add(name, _corners(_only(found, "bndbox"), first_pixel), where, mark)


def _corners(box: Element, first_pixel: int) -> Corners:
    x1, y1, x2, y2 = (finite_text(_text(box, key)) for key in ("xmin", "ymin", "xmax", "ymax"))
    return x1 - first_pixel, y1 - first_pixel, x2, y2


def _stated_size(annotation: Element) -> tuple[int, int] | None:
    try:
        size = _only(annotation, "size")
        return picture_size(finite_text(_text(size, "width")), finite_text(_text(size, "height")))
    except BadLabelError:
        return None


def _text(parent: Element, tag: str) -> str:
    element = _only(parent, tag)
    if len(element):
        raise BadLabelError(f"`{tag}` holds elements instead of text")
    return (element.text or "").strip()


def _only(parent: Element, tag: str) -> Element:
    found = parent.findall(tag)
    if len(found) != 1:
        raise BadLabelError(f"has {len(found)} times `{tag}` instead of once")
    return found[0]
