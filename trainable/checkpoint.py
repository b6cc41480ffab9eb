"""Checkpoints on disk: tensors in ``tensors.pt``, what a person can read in ``checkpoint.json``; atomic.

``checkpoint.json`` takes its place last and names the file of the tensors with its size and SHA-256, and its own
SHA-256: a folder whose writing or copying was cut short, or that was damaged, is never taken for a checkpoint. Where a
folder holds one already, the tensors of the next go beside those of the old one, which are deleted when the new
``checkpoint.json`` is in its place: at any moment of a kill one of the two is whole.

Nothing in a checkpoint is code: the pickle of the tensors is gone through (:mod:`trainable.weights_pickle`) and then
loaded under ``weights_only=True``.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch

from data_prep.durable import remove_drafts, replacing, write_error
from data_prep.errors import WorkFailedError
from trainable.weights_archive import open_archive
from trainable.weights_pickle import check_pickle

TENSORS = "tensors.pt"
READABLE = "checkpoint.json"
_SLOTS = (TENSORS, "tensors-2.pt")
_DIGEST = "sha256"


def write_checkpoint(folder: str | Path, tensors: Mapping[str, Any], readable: Mapping[str, Any]) -> None:
    """Write a checkpoint into ``folder`` (created if absent), so that it is there whole or not at all.

    Args:
        folder:
            Where to; an older checkpoint in it is replaced, and stays as it is where this one cannot be written. One
            process at a time may write into a folder.
        tensors:
            Nested mappings and lists of tensors and plain numbers.
        readable:
            What JSON can hold: epoch, metrics, settings.

    Raises:
        DiskFullError: There is no room for it.
        WorkFailedError: The folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_drafts(folder)
        slot = next(name for name in _SLOTS if name != _slot_in_use(folder))
        with replacing(folder / slot) as file:
            stream = _HashingWriter(file)
            torch.save(dict(tensors), cast("IO[bytes]", stream))
            stream.raise_error()
        written = {"file": slot, "bytes": stream.count, "sha256": stream.digest()}
        # As it will be read: JSON turns tuples into lists and the keys of mappings into strings.
        described = json.loads(json.dumps({**readable, "tensors": written}))
        with replacing(folder / READABLE) as file:
            file.write(json.dumps({**described, _DIGEST: _digest(described)}, indent=1).encode())
        for name in set(_SLOTS) - {slot}:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise write_error(f"{folder}: the checkpoint cannot be written", error) from error


def read_checkpoint(folder: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a checkpoint as (tensors, readable).

    Raises:
        WorkFailedError: There is no whole checkpoint in ``folder``.
    """
    folder = Path(folder)
    try:
        readable = _read_json(folder)
        try:
            return _read_tensors(folder, readable["tensors"]), readable
        except (OSError, ValueError):
            newer = _read_json(folder)
            if newer == readable:
                raise
        return _read_tensors(folder, newer["tensors"]), newer  # it was replaced while it was read
    # A file made to deceive makes json, zipfile and torch raise nearly anything; nothing of it has been run.
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise WorkFailedError(f"{folder}: holds no whole checkpoint ({reason}); go on from an older one.") from error


class _HashingWriter(io.RawIOBase):
    """Counts and hashes what ``torch.save`` writes, from its first byte to its last, on the way to a file."""

    def __init__(self, file: BinaryIO) -> None:
        self.count = 0
        self._file, self._hash = file, hashlib.sha256()
        self._error: OSError | None = None

    def write(self, data: Any) -> int:  # noqa: ANN401  # any buffer
        """Never raises: torch's C++ would turn a full disk into an error of its own. See :meth:`raise_error`."""
        size = len(data)
        if self._error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self._error = error
            self._hash.update(data)
            self.count += size
        return size

    def raise_error(self) -> None:
        """Raise what went wrong while writing."""
        if self._error is not None:
            raise self._error

    def digest(self) -> str:
        return self._hash.hexdigest()


def _slot_in_use(folder: Path) -> str | None:
    """The file of tensors that the checkpoint in ``folder`` consists of, or None where there is no checkpoint."""
    try:
        return str(_read_json(folder)["tensors"]["file"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _read_json(folder: Path) -> dict[str, Any]:
    content = (folder / READABLE).read_text(encoding="utf-8")
    readable: object = json.loads(content)
    if not isinstance(readable, dict):
        raise ValueError(f"{READABLE} holds no keys and values")  # noqa: TRY004  # the file is wrong, not a type
    stated = readable.pop(_DIGEST, None)
    if stated != _digest(readable):
        raise ValueError(f"{READABLE} is damaged or was changed: its SHA-256 differs")
    return readable


def _read_tensors(folder: Path, described: Mapping[str, Any]) -> dict[str, Any]:
    if described["file"] not in _SLOTS:
        raise ValueError(f"{READABLE} names the tensors {described['file']!a}")
    with (folder / described["file"]).open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != described["sha256"]:
            raise ValueError(f"{described['file']} is damaged: its SHA-256 differs")
        archive = open_archive(file, checksums=False)
        check_pickle(archive.pickle, archive.storages, ())
        file.seek(0)
        tensors: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return tensors


def _digest(readable: Mapping[str, Any]) -> str:
    """SHA-256 of what JSON makes of a mapping, whatever the order and the blanks."""
    return hashlib.sha256(json.dumps(readable, sort_keys=True).encode()).hexdigest()
