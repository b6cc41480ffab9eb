"""What a reader is: settings that name a raw data set, and ``read``, which turns it into records.

A new format is one module beside this one, with a class like :class:`data_prep.readers.yolo.YoloReader`, and
its name in the union of :mod:`data_prep.readers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from data_prep.errors import InputError
from data_prep.progress import Progress
from data_prep.records import RawDataset, Source
from data_prep.store import RawStore


class Reader(Protocol):
    """Reads one raw format."""

    def read(self, store: RawStore, progress: Progress) -> RawDataset:
        """Return every picture of the raw data set with its boxes; nothing is written.

        Args:
            store:
                Reads the bytes and keeps archives open.
            progress:
                Told of every picture as stage ``read``.

        Raises:
            InputError: Something in the raw data is missing or damaged; names the file and the remedy.
        """


class Unlabelled(StrEnum):
    """What a picture without a label file means."""

    FAIL = "fail"
    BACKGROUND = "background"


def by_stem(sources: Iterable[Source]) -> dict[str, Source]:
    """Index files by their stem, by which a picture and its label find each other.

    Raises:
        InputError: Two files share a stem, so one label would serve both.
    """
    found: dict[str, Source] = {}
    for source in sources:
        other = found.setdefault(source.stem, source)
        if other is not source:
            raise InputError(f"{source} and {other} share one label name; rename one of them and its label")
    return found


def require_images_for(labels: dict[str, Source], images: dict[str, Source]) -> None:
    """Refuse a label that has no picture: it is the trace of a lost file.

    Raises:
        InputError: Names the first such label.
    """
    for stem in sorted(labels.keys() - images.keys()):
        raise InputError(f"{labels[stem]} has no picture of the same name; add the picture or remove the label")
