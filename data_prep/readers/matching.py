"""How pictures and labels find each other: by path, by bare name where that is unique, and never by guessing."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data_prep.errors import InputError
from data_prep.readers.parsing import BadLabelError
from data_prep.records import Source
from data_prep.store import RawStore

_FAR = 2  # folders between a data set and its parts: `VOC2012/ImageSets/Main`


def pictures_in(store: RawStore, place: Path, key: str) -> list[Source]:
    """List the pictures of a folder or archive, sorted by path.

    Args:
        store:
            Lists them.
        place:
            The folder or archive.
        key:
            Key of the configuration that names it, for the message.

    Raises:
        InputError: It cannot be read or holds no picture.
    """
    found = [source for source in store.files(place) if source.is_image]
    if not found:
        raise InputError(f"{Source(place)} holds no picture; correct `{key}`")
    return sorted(found, key=lambda source: inner_path(source, place))


def inner_path(source: Source, place: Path) -> str:
    """Return the path of a file inside its folder or archive, ``/`` between, in Unicode form NFC."""
    return _normal(source.member if source.member is not None else os.path.relpath(source.path, place))


def common_root(*places: Path | None) -> Path:
    """Return the folder against which reports name files.

    It is the innermost one that holds all files and folders given, unless these lie far apart: then the way to them
    says more about the machine than about the data, and it is the folder of the first.
    """
    folders = [place if _is_folder(place) else place.parent for place in places if place is not None]
    common = Path(os.path.commonpath(folders))
    far = any(len(folder.parts) - len(common.parts) > _FAR for folder in folders)
    return folders[0] if far else common


class Finder:
    """Finds files by the names that labels use for them.

    A name is looked up as a path, then without its folders as a bare name; the folders that both of them have must
    agree (``train2017/a.jpg`` is ``a.jpg`` and is not ``val2017/a.jpg``). What fits more than one file is not found.
    """

    def __init__(self, paths: Sequence[str], *, suffix_optional: bool) -> None:
        """Index files.

        Args:
            paths:
                Theirs, as :func:`inner_path` returns them.
            suffix_optional:
                Whether names may lack the suffix.
        """
        self._parsed = parsed = [PurePosixPath(path) for path in paths]
        self._paths = [_index(map(str, parsed))]
        self._names = [_index(path.name for path in parsed)]
        if suffix_optional:
            self._paths.append(_index(str(path.with_suffix("")) for path in parsed))
            self._names.append(_index(path.stem for path in parsed))

    def find(self, name: str) -> int | None:
        """Return the index of the path that a name means; None where there is none or more than one."""
        wanted = PurePosixPath(_normal(name))
        for table in self._paths:
            if str(wanted) in table:
                return table[str(wanted)]
        for table in self._names:
            if wanted.name in table:
                found = table[wanted.name]
                return None if found is None or _contradict(wanted, self._parsed[found]) else found
        return None


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture and its label.

    Attributes:
        image:
            The picture.
        label:
            Its label; None where there is none.
        trouble:
            Why it is not sure that they belong together; empty where it is.
    """

    image: Source
    label: Source | None = None
    trouble: str = ""

    def require_sure(self) -> None:
        """Refuse a pair that may be wrong.

        Raises:
            BadLabelError: Says why it may.
        """
        if self.trouble:
            raise BadLabelError(self.trouble)


def pair_up(
    images: Sequence[Source], labels: Sequence[Source], image_place: Path, label_place: Path
) -> tuple[list[Pair], list[Source]]:
    """Bring together pictures and labels of the same stem, of the same path where stems repeat.

    Args:
        images:
            The pictures.
        labels:
            One file per picture.
        image_place:
            Folder or archive of the pictures, where their paths begin.
        label_place:
            The same of the labels.

    Returns:
        A pair per picture, in their order, and the labels that belong to no picture.
    """
    images_of, labels_of = _group(images, image_place), _group(labels, label_place)
    pairs, used = [], set()
    for image in images:
        path = PurePosixPath(inner_path(image, image_place)).with_suffix("")
        alone = len(images_of[path.name]) == len(labels_of.get(path.name, ())) == 1
        key = path.name if alone else f"/{path}"
        siblings, found = images_of[key], labels_of.get(key, [])
        used.update(found)
        pairs.append(Pair(image, found[0] if found else None, _trouble(siblings, found)))
    return pairs, [label for label in labels if label not in used]


def _contradict(first: PurePosixPath, second: PurePosixPath) -> bool:
    """Whether two paths lie in different folders, as far as both say in which."""
    folders = zip(reversed(first.parts[:-1]), reversed(second.parts[:-1]), strict=False)
    return any(one != other for one, other in folders)


def _is_folder(place: Path) -> bool:
    # `Path.is_dir` fails for a name of 5000 letters or a folder that is closed to us.
    return os.path.isdir(place)  # noqa: PTH112 - as said


def _trouble(images: Sequence[Source], labels: Sequence[Source]) -> str:
    if len(labels) > 1:
        return f"its label may be {labels[0].name} or {labels[1].name}; remove one of them"
    if labels and len(images) > 1:
        return f"{images[0].name} and {images[1].name} share this label; rename one of them and its label"
    return ""


def _group(sources: Sequence[Source], place: Path) -> dict[str, list[Source]]:
    """Index files by their stem, and by their path without suffix, which gets a slash in front."""
    found: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        path = PurePosixPath(inner_path(source, place)).with_suffix("")
        found[path.name].append(source)
        found[f"/{path}"].append(source)
    return found


def _index(names: Iterable[str]) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for index, name in enumerate(names):
        found[name] = None if name in found else index
    return found


def _normal(name: str) -> str:
    return str(PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/")))
