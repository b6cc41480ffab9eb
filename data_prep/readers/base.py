"""What a reader is: settings that name a raw data set, and ``read``, which turns its labels into records.

A new format is one module beside this one, with a class like :class:`data_prep.readers.yolo.YoloReader`, and
its name in the union of :mod:`data_prep.readers`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Protocol

from pydantic import AfterValidator, Field

from data_prep.findings import Kind, Policy
from data_prep.names import check_class_names
from data_prep.progress import Progress
from data_prep.records import RawDataset, Source, safe_key
from data_prep.store import RawStore

#: Class names in a configuration; their order gives the class ids.
ClassNames = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(check_class_names)]


class Reader(Protocol):
    """Reads the labels of one raw format; the pictures themselves are looked at later, by the checks.

    Attributes:
        usual:
            Policies that are usual for this format where the configuration names none:
            :attr:`Kind.IMAGE_WITHOUT_LABEL` alone depends on the format.
    """

    usual: ClassVar[Mapping[Kind, Policy]]

    def read(self, store: RawStore, progress: Progress) -> RawDataset:
        """Return every picture of the raw data set with its boxes; nothing is written or mended.

        What is wrong with one picture or label becomes a :class:`data_prep.findings.Flaw` of that picture; what
        belongs to no picture becomes a finding of the data set.

        Args:
            store:
                Reads the bytes and keeps archives open.
            progress:
                Told of every picture as stage ``read``.

        Raises:
            InputError: The data set as a whole cannot be read: a folder or archive is missing or damaged, its
                one annotation file is no such file. Names the file and the remedy.
        """


def unique_keys(sources: Sequence[Source], names: Sequence[str]) -> list[str]:
    """Give every picture a key that is safe as a file name.

    It is the stem of the picture; where two share that, the folders are put in front, and a number behind where
    even these make the same safe name (``a b`` and ``a_b``).

    Args:
        sources:
            The pictures.
        names:
            Their paths within the data set, with folders, ``/`` between; one per picture.
    """
    # Compared without case: some file systems do not tell `A.jpg` from `a.jpg`.
    stems = [safe_key(source.stem) for source in sources]
    counts = Counter(stem.casefold() for stem in stems)
    keys = [
        safe_key(str(PurePosixPath(name).with_suffix(""))) if counts[stem.casefold()] > 1 else stem
        for stem, name in zip(stems, names, strict=True)
    ]
    taken: set[str] = set()
    for index in sorted(range(len(keys)), key=lambda index: names[index]):
        key, number = keys[index], 0
        while keys[index].casefold() in taken:
            number += 1
            keys[index] = f"{key}_{number}"
        taken.add(keys[index].casefold())
    return keys
