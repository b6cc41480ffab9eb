"""Reads a data set that lies in YOLO folders already, through its stock ``data.yaml``.

A picture without label file is background, as for YOLO itself; a label file without rows says the same on
purpose. Rows with more than five numbers are polygons and become their bounding box, as in
``yolov5/utils/dataloaders.py``; rows of five are boxes also where the file has polygons, too.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from data_prep.dataset import DatasetYaml, files_below, label_path, read_data_yaml
from data_prep.findings import Finding, Kind, Policy
from data_prep.names import shown
from data_prep.progress import Progress
from data_prep.readers.base import unique_keys
from data_prep.readers.draft import Draft, unlabelled
from data_prep.readers.parsing import BadLabelError, Corners, finite_text, read_label, text_lines
from data_prep.records import RawDataset, Source
from data_prep.store import RawStore
from data_prep.validation import ConfigPath, FrozenModel

#: How far beyond 0..1 a normalised coordinate may lie before it is taken for a mistake (pixels, say).
_TOLERANCE = 0.01
#: What annotation tools leave among the labels.
_NO_LABELS = frozenset({"classes.txt", "notes.txt"})


class YoloReader(FrozenModel):
    """Settings of the YOLO reader, and the reader itself (see :class:`data_prep.readers.base.Reader`)."""

    usual: ClassVar[Mapping[Kind, Policy]] = {Kind.IMAGE_WITHOUT_LABEL: Policy.KEEP}

    reader: Literal["yolo"] = "yolo"
    """Chooses this reader."""

    data: ConfigPath
    """The stock ``data.yaml``."""

    def read(self, store: RawStore, progress: Progress) -> RawDataset:
        """Return the pictures of ``train``, ``val`` and, where there is one, ``test``, kept as their split.

        Raises:
            InputError: The ``data.yaml`` is wrong, or names pictures or folders that do not exist.
        """
        dataset = read_data_yaml(self.data)
        splits = [split for split in ("train", "val", "test") if split in dataset.splits]
        listed = [(split, path) for split in splits for path in dataset.images(split)]
        sources = [Source(path) for _, path in listed]
        # A test picture may bear a name that train has, too, as in what `prepare` writes.
        own = sum(split != "test" for split, _ in listed)
        keys = [
            key
            for part in (sources[:own], sources[own:])
            for key in unique_keys(part, [source.beside(dataset.path) for source in part])
        ]
        shared = Counter(label_path(path) for path in {path for _, path in listed})
        ids: dict[str | int, int] = {class_id: class_id for class_id in range(len(dataset.names))}
        images = []
        for key, source, (split, path) in zip(keys, sources, listed, strict=True):
            label = label_path(path)
            draft = _draft(store, Source(label), dataset.path) if os.path.lexists(label) else unlabelled()
            if shared[label] > 1:
                draft = Draft(Source(label).beside(dataset.path))
                draft.complain(f"{shared[label]} pictures share this label; rename all but one of them")
            images.append(draft.image(key, source, ids, split=split, normalised=True))
            progress("read", len(images), len(listed))
        findings = tuple(_lost_labels(dataset, splits, shared))
        return RawDataset(dataset.names, tuple(images), dataset.path, findings)


def _draft(store: RawStore, label: Source, root: Path) -> Draft:
    draft = Draft(label.beside(root))
    with draft.reading():
        for number, line in enumerate(text_lines(read_label(store, label)), start=1):
            if line.strip():
                with draft.reading(where := f"line {number}"):
                    _add_row(draft, line.split(), where)
    return draft


def _add_row(draft: Draft, row: Sequence[str], where: str) -> None:
    """Parse a row: ``class x_centre y_centre width height`` or ``class x1 y1 x2 y2 x3 y3 ..``, normalised."""
    class_id, *values = (finite_text(text) for text in row)
    if not class_id.is_integer():
        raise BadLabelError(f"{shown(row[0])} is no class id")
    draft.add(int(class_id), _corners(values), where)


def _corners(values: Sequence[float]) -> Corners:
    for value in values:
        if not -_TOLERANCE <= value <= 1 + _TOLERANCE:
            raise BadLabelError(f"{value:g} is not normalised to 0..1")
    if len(values) == 4:
        x, y, w, h = values
        return x - w / 2, y - h / 2, x + w / 2, y + h / 2
    if len(values) >= 6 and len(values) % 2 == 0:
        return min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
    raise BadLabelError(f"the row has {len(values) + 1} numbers; a box has five, a polygon 1 + 2n")


def _lost_labels(dataset: DatasetYaml, splits: Sequence[str], labels: Collection[Path]) -> Iterator[Finding]:
    """Find labels below the folders of the splits whose picture is gone; of a list, others may stand elsewhere."""
    entries = {entry for split in splits for entry in dataset.splits[split]}
    folders = {label_path(entry / "any.jpg").parent for entry in entries if entry.is_dir()}
    found = {path for folder in folders if folder.is_dir() for path in files_below(folder)}
    for label in sorted(found.difference(labels, entries)):
        if label.suffix == ".txt" and label.name not in _NO_LABELS and not label.name.startswith("._"):
            yield Finding(Kind.LABEL_WITHOUT_IMAGE, Source(label).beside(dataset.path), "no picture belongs to it")
