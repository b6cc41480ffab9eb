"""Writes YOLO folders: ``images/<split>``, ``labels/<split>`` and ``data.yaml``.

Everything is written into a folder beside the target, which takes the target's name as the last step: whoever
finds the target finds it whole.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from data_prep.errors import InputError, WorkFailedError
from data_prep.geometry import yolo_row
from data_prep.progress import Progress
from data_prep.records import ImageRecord
from data_prep.split import FOLDER_OF_KEY, Records, Split
from data_prep.store import RawStore

DATA_YAML = "data.yaml"

#: Splits that repeat pictures of others, written as links after them.
_DERIVED = (Split.MINI_TRAIN, Split.FULL)


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Give an empty folder beside ``out`` that becomes ``out`` when the block ends, and vanishes if it fails.

    Raises:
        InputError: The place cannot be written, or ``out`` was filled in the meantime.
        WorkFailedError: Writing failed later (disk full, say).
    """
    missing = [folder for folder in out.parents if not folder.exists()]
    prefix = f".{out.name}.partial-{platform.node()}-"
    partial = out.parent / f"{prefix}{os.getpid()}"
    try:
        partial.mkdir(parents=True)
        _remove_abandoned(out.parent, prefix)
    except OSError as error:
        _remove_empty(missing)
        raise InputError(f"{out} cannot be written ({error.strerror}); choose another output folder") from error
    try:
        yield partial
        partial.rename(out)
    except BaseException as error:  # Ctrl-C, too: nothing half-written stays
        shutil.rmtree(partial, ignore_errors=True)
        _remove_empty(missing)
        if isinstance(error, OSError):
            message = f"writing {out} failed ({error.strerror}); make room there and run again"
            raise WorkFailedError(message) from error
        raise


def write_splits(
    splits: Mapping[Split, Records], folder: Path, store: RawStore, progress: Progress
) -> dict[Split, dict[str, tuple[str, str]]]:
    """Write every picture and label once, and link them where a split repeats them.

    Args:
        splits:
            Pictures per split; ``full`` holds all but ``test``.
        folder:
            Empty folder to write into.
        store:
            Gives the bytes of the pictures, which are written unchanged.
        progress:
            Told of every picture as stage ``write``.

    Returns:
        Per split: picture file name to the SHA-256 of picture and label.

    Raises:
        InputError: A picture cannot be read.
    """
    total, done = sum(map(len, splits.values())), 0
    hashes: dict[Split, dict[str, tuple[str, str]]] = {}
    home: dict[str, Split] = {}
    for split in sorted(splits, key=lambda name: (name in _DERIVED, name)):
        _make_folders(folder, split)
        hashes[split] = {}
        for record in splits[split]:
            name = record.file_name
            if split in _DERIVED:
                _link_record(record, folder, home[name], split)
                hashes[split][name] = hashes[home[name]][name]
            else:
                hashes[split][name] = _write_record(record, folder, split, store)
                if split is not Split.TEST:  # a test picture may bear a name that train has, too
                    home[name] = split
            done += 1
            progress("write", done, total)
    return hashes


def write_data_yaml(folder: Path, root: Path, names: Sequence[str], splits: Mapping[Split, Records]) -> None:
    """Write a stock ``data.yaml``.

    Args:
        folder:
            Where to write it.
        root:
            The final place, written as ``path:``. It is absolute, because stock YOLOv5 takes relative ones
            against its own package; :func:`data_prep.dataset.read_data_yaml` uses the yaml's folder once the
            data set has moved.
        names:
            Class names.
        splits:
            Which splits there are.
    """
    keys = {key: split for key, split in FOLDER_OF_KEY.items() if split in splits}
    keys |= {split.value: split for split in _DERIVED if split in splits}
    content: dict[str, object] = {"path": str(root)}
    content |= {key: f"images/{split}" for key, split in keys.items()}
    content |= {"nc": len(names), "names": list(names)}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (folder / DATA_YAML).write_text(text, encoding="utf-8")


def label_text(record: ImageRecord) -> str:
    """Return the content of a YOLO label file, one row per box; empty for a background picture."""
    return "".join(f"{yolo_row(box, record.width, record.height)}\n" for box in record.boxes)


def _make_folders(folder: Path, split: Split) -> None:
    for kind in ("images", "labels"):
        (folder / kind / split).mkdir(parents=True)


def _write_record(record: ImageRecord, folder: Path, split: Split, store: RawStore) -> tuple[str, str]:
    image, label = store.read(record.source), label_text(record).encode()
    (folder / "images" / split / record.file_name).write_bytes(image)
    (folder / "labels" / split / f"{record.key}.txt").write_bytes(label)
    return hashlib.sha256(image).hexdigest(), hashlib.sha256(label).hexdigest()


def _link_record(record: ImageRecord, folder: Path, home: Split, split: Split) -> None:
    for kind, name in (("images", record.file_name), ("labels", f"{record.key}.txt")):
        _link(folder / kind / home / name, folder / kind / split / name)


def _link(source: Path, target: Path) -> None:
    """Link where the file system can; else copy."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove what runs on this machine left here when they were killed."""
    for leftover in folder.iterdir():
        process = leftover.name.removeprefix(prefix)
        if leftover.name.startswith(prefix) and process.isdigit() and not _is_alive(int(process)):
            shutil.rmtree(leftover, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except OSError:  # it lives and belongs to somebody else
        return True
    return True


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
