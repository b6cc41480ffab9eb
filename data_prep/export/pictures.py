"""Writes pictures and labels of every split, each picture once where links can serve."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from data_prep.errors import InputError
from data_prep.export.labels import label_text
from data_prep.pool import threaded_map
from data_prep.progress import Progress
from data_prep.records import ImageRecord, Source
from data_prep.split import Records, Split
from data_prep.store import RawStore

#: Splits that repeat pictures of others, written as links after them.
DERIVED = (Split.MINI_TRAIN, Split.FULL)

#: Splits that repeat pictures of ``train`` with labels of their own.
RELABELLED = (Split.GOLD,)

#: Content of the label file of a picture in a split.
LabelOf = Callable[[Split, ImageRecord], str]

#: Path within the data set to SHA-256, hexadecimal.
Hashes = dict[str, str]


class LinkMode(StrEnum):
    """How one picture comes into several splits."""

    HARDLINK = "hardlink"
    """The data set has one copy of each picture of its own; other splits hold hard links to it."""

    SYMLINK = "symlink"
    """No copy: symbolic links to the raw pictures (one copy where they lie in archives), and between splits."""

    COPY = "copy"
    """Every split has files of its own."""


@dataclass(frozen=True, slots=True)
class _Job:
    record: ImageRecord
    split: Split


def write_pictures(
    splits: Mapping[Split, Records],
    folder: Path,
    store: RawStore,
    mode: LinkMode,
    progress: Progress,
    label_of: LabelOf = lambda _, record: label_text(record),
) -> Hashes:
    """Write ``images/<split>`` and ``labels/<split>``.

    A picture that lies there already with the right content is not written again.

    Args:
        splits:
            Pictures per split; ``full`` holds all but ``test``.
        folder:
            Folder to write into; may hold what an interrupted run wrote of the same splits.
        store:
            Gives the bytes of the pictures, which are written unchanged.
        mode:
            How pictures are shared between splits; what the file system cannot link is copied.
        progress:
            Told of every picture as stage ``write``.
        label_of:
            Gives the labels; those of the records where it is absent.

    Returns:
        The hash of every picture and label.

    Raises:
        InputError: A picture cannot be read, or is not what it was when it was checked.
    """
    for split in splits:
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True, exist_ok=True)
    linked = (*DERIVED, *RELABELLED)
    jobs = [_Job(record, split) for split in splits if split not in linked for record in splits[split]]
    repeats = [_Job(record, split) for split in splits if split in linked for record in splits[split]]
    # A test picture may bear a name that train has, too; what repeats is never one of test.
    home = {job.record.key: job.split for job in jobs if job.split is not Split.TEST}
    hashes: Hashes = {}
    total = len(jobs) + len(repeats)
    for done, written in enumerate(threaded_map(lambda job: _write(job, folder, store, mode, label_of), jobs), start=1):
        hashes |= written
        progress("write", done, total)
    for done, job in enumerate(repeats, start=len(jobs) + 1):
        first = home[job.record.key]
        for kind, name in _names(job.record):
            if kind == "labels" and job.split in RELABELLED:
                hashes |= _write_label(job, folder, label_of)
                continue
            _share(folder / kind / first / name, folder / kind / job.split / name, mode)
            hashes[f"{kind}/{job.split}/{name}"] = hashes[f"{kind}/{first}/{name}"]
        progress("write", done, total)
    return hashes


def _names(record: ImageRecord) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("images", record.file_name), ("labels", f"{record.key}.txt")


def _write_label(job: _Job, folder: Path, label_of: LabelOf) -> Hashes:
    name = f"labels/{job.split}/{job.record.key}.txt"
    text = label_of(job.split, job.record).encode()
    (folder / name).unlink(missing_ok=True)  # a link of an interrupted run must not be written through
    (folder / name).write_bytes(text)
    return {name: hashlib.sha256(text).hexdigest()}


def _write(job: _Job, folder: Path, store: RawStore, mode: LinkMode, label_of: LabelOf) -> Hashes:
    record = job.record
    image = folder / "images" / job.split / record.file_name
    hashes = _write_label(job, folder, label_of)
    if record.source is None:
        raise InputError(f"{record.key} has boxes and no picture; name the folder of the pictures in the configuration")
    if mode is LinkMode.SYMLINK and record.source.member is None:
        _replace_by_link(image, record.source.path)
    elif not _holds(image, record.sha256):
        _copy_raw(record.source, record.sha256, image, store)
    return hashes | {image.relative_to(folder).as_posix(): record.sha256}


def _copy_raw(source: Source, sha256: str, image: Path, store: RawStore) -> None:
    content = store.read(source)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{source} was changed while it was being prepared; run again")
    image.unlink(missing_ok=True)  # a link of an interrupted run must not be written through
    image.write_bytes(content)


def _holds(path: Path, sha256: str) -> bool:
    return path.is_file() and not path.is_symlink() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _share(source: Path, target: Path, mode: LinkMode) -> None:
    """Let ``target`` have the content of ``source``."""
    if mode is LinkMode.SYMLINK:
        _replace_by_link(target, Path(os.path.relpath(source, target.parent)))
        return
    target.unlink(missing_ok=True)
    if mode is LinkMode.HARDLINK:
        try:
            target.hardlink_to(source)
        except OSError:  # the file system has none, or no more for this file
            shutil.copyfile(source, target)
    else:
        shutil.copyfile(source, target)


def _replace_by_link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(target)
    except OSError:
        shutil.copyfile(link.parent / target, link)
