"""Reads a stock YOLO ``data.yaml``: the hand-over from this room, or any other tool, to the others.

Nothing in it is executed; YOLOv5 itself would run a ``download:`` entry as a shell command or as Python.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import DataMissingError, InputError
from data_prep.files import read_yaml_mapping
from data_prep.names import check_class_names, shown
from data_prep.records import IMAGE_SUFFIXES
from data_prep.text import printable

#: Lies beside the ``data.yaml`` of a data set that ``prepare`` wrote (see :mod:`data_prep.manifest`).
PREPARED = "manifest.json"
#: Keys that name pictures. ``mini_train``, ``full`` and ``gold`` are ours; stock YOLOv5 ignores them.
SPLIT_KEYS = ("train", "val", "test", "mini_train", "full", "gold")


@dataclass(frozen=True, slots=True)
class DatasetYaml:
    """A YOLO data set as its ``data.yaml`` describes it.

    Attributes:
        file:
            The ``data.yaml``, absolute.
        path:
            Root folder, absolute; the data set's own folder when ``path:`` is absent or does not exist
            (moved).
        names:
            Class names; class ids index them.
        splits:
            Key of the yaml to absolute folders or ``.txt`` lists of pictures.
    """

    file: Path
    path: Path
    names: tuple[str, ...]
    splits: Mapping[str, tuple[Path, ...]]

    def images(self, split: str) -> list[Path]:
        """List the pictures of a split, sorted, each once, chosen by YOLOv5's image suffixes.

        ``full`` is train + val and ``mini_train`` is train where the yaml has no such key.

        Args:
            split:
                One of :data:`SPLIT_KEYS`.

        Raises:
            DataMissingError: A folder, list or picture is missing, or there is none.
            InputError: The split is absent.
        """
        if split not in self.splits and split == "full":
            return sorted({*self.images("train"), *self.images("val")})
        if split not in self.splits and split == "mini_train":
            return self.images("train")
        if split not in self.splits:
            raise InputError(f"{self.file} has no key `{split}`; add it or ask for one of {sorted(self.splits)}")
        found = {image for entry in self.splits[split] for image in self._images_of(entry, split)}
        if not found:
            raise DataMissingError(f"{self.file}: `{split}` holds no picture; point it to a folder with pictures")
        return sorted(found)

    def _images_of(self, entry: Path, split: str) -> list[Path]:
        if _exists(entry) and entry.is_dir():
            return [path for path in files_below(entry) if _is_image(path)]
        if _exists(entry) and entry.is_file():
            # Resolved as the folders are, so that a picture which a list and a folder name is there once.
            return listed_images(entry, self.path.resolve())
        raise _missing(self.file, split, entry)


def read_data_yaml(path: Path) -> DatasetYaml:
    """Read any stock YOLO ``data.yaml``.

    Relative entries are taken against ``path:`` where that exists, else against the yaml's own folder.

    Raises:
        DataMissingError: The file or a folder of ``train`` or ``val`` does not exist.
        InputError: The file cannot be read, ``train``, ``val`` or ``names`` is missing or wrong, or ``nc`` disagrees
            with ``names``.
    """
    file = path.absolute()
    if not _exists(file):
        place = printable(str(file))[:300]
        raise DataMissingError(f"{place} cannot be read (No such file or directory); check the path")
    data = read_yaml_mapping(file)
    root = _root(file, data.get("path"))
    splits = {key: _entries(file, key, data[key], root) for key in SPLIT_KEYS if data.get(key)}
    for key in ("train", "val"):
        if key not in splits:
            raise InputError(f"{file} has no key `{key}`; add it with a folder of pictures")
        for entry in splits[key]:
            if not _exists(entry):
                raise _missing(file, key, entry)
    return DatasetYaml(file, root, _names(file, data), splits)


def label_path(image: Path) -> Path:
    """Return where YOLO looks for a picture's label: the last folder named ``images`` becomes ``labels``."""
    parts = list(image.with_suffix(".txt").parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts)


def _root(file: Path, path: object) -> Path:
    if path is None or path == "":
        return file.parent
    if not isinstance(path, str):
        raise InputError(f"{file}: `path` (={shown(path)}) is no folder name; correct it or remove it")
    # A prepared set is whole in its folder: a copy of it must not read the original's pictures.
    if (file.parent / PREPARED).is_file():
        return file.parent
    stated = _resolve(file, "path", path, file.parent)
    return stated if _exists(stated) and stated.is_dir() else file.parent


def _entries(file: Path, key: str, value: object, root: Path) -> tuple[Path, ...]:
    listed: list[object] = value if isinstance(value, list) else [value]
    entries = [entry for entry in listed if isinstance(entry, str)]
    if len(entries) < len(listed):
        message = f"{file}: `{key}` (={shown(value)}) must be a folder, a .txt list or a list of them"
        raise InputError(f"{message}; correct it")
    return tuple(_entry(file, key, entry, root) for entry in entries)


def _entry(file: Path, key: str, entry: str, root: Path) -> Path:
    resolved = _resolve(file, key, entry, root)
    # Roboflow writes `../train/images` though the folder lies beside the yaml; YOLOv5 forgives it, too.
    if not _exists(resolved) and Path(entry).parts[:1] == ("..",):
        return _resolve(file, key, str(Path(*Path(entry).parts[1:])), root)
    return resolved


def _resolve(file: Path, key: str, text: str, root: Path) -> Path:
    try:
        return Path(root, Path(text).expanduser()).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a NUL byte, `~nobody`, links in a circle
        raise InputError(f"{file}: `{key}` names {shown(text)}, which cannot be a path; correct the key") from error


def _exists(path: Path) -> bool:
    """Whether there is something; what no file system can hold (a name of 5000 letters) or show is not there."""
    try:
        return path.exists()
    except OSError:
        return False


def _missing(file: Path, key: str, entry: Path) -> DataMissingError:
    place = printable(str(entry))[:300]
    return DataMissingError(f"{file}: `{key}` names {place}, which does not exist; correct the key")


def _names(file: Path, data: Mapping[str, Any]) -> tuple[str, ...]:
    names = data.get("names")
    if isinstance(names, dict):
        if {key for key in names if type(key) is int} != set(range(len(names))):
            ids = ", ".join(shown(key) for key in list(names)[:10])
            raise InputError(f"{file}: the ids in `names` are {ids}; number them 0..{len(names) - 1}")
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names:
        raise InputError(f"{file} has no class names; add them as a list under `names`")
    if "nc" in data and data["nc"] != len(names):
        message = f"{file}: `nc` is {shown(data['nc'])} but `names` has {len(names)} entries"
        raise InputError(f"{message}; make them agree")
    try:
        # YAML reads a bare 7 as a number, and YOLOv5 takes that for a name.
        return check_class_names(str(name) if type(name) in (int, float) else name for name in names)
    except ValueError as error:
        raise InputError(f"{file}: in `names`, {error}") from error


def files_below(folder: Path) -> Iterator[Path]:
    """Yield files as YOLOv5's ``glob`` does: links to folders are followed, hidden files and folders left out.

    Raises:
        InputError: A folder cannot be read.
    """
    waiting: list[tuple[Path, frozenset[Path]]] = [(folder, frozenset())]
    while waiting:
        place, above = waiting.pop()
        real = place.resolve()
        if real in above:  # a link back to where we came through
            continue
        try:
            inside = [path for path in place.iterdir() if not path.name.startswith(".")]
            folders = [path for path in inside if path.is_dir()]
        except OSError as error:
            raise InputError(f"{printable(str(place))} cannot be read ({error.strerror}); check it") from error
        waiting += [(path, above | {real}) for path in folders]
        yield from set(inside).difference(folders)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("._")


def listed_images(listing: Path, root: Path) -> list[Path]:
    """Read a ``.txt`` list: ``./a.jpg`` lies beside the list, ``a.jpg`` below the root or beside it.

    Raises:
        DataMissingError: A picture does not exist.
        InputError: It is no list of paths.
    """
    try:
        lines = [line.strip() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{listing} cannot be read as a list of pictures; write one path a line") from error
    images = []
    for line in lines:
        below_root = Path(root, line)
        beside = line.startswith("./") or not _exists(below_root)
        image = Path(os.path.normpath(Path(listing.parent, line) if beside else below_root))
        if not (_exists(image) and image.is_file()):
            raise DataMissingError(f"{listing} names {shown(line)}, which does not exist; correct or remove that line")
        if _is_image(image):
            images.append(image)
    return images
