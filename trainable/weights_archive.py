"""The outside of a ``.pt`` file: a zip archive as ``torch.save`` writes it, looked at before torch opens it.

Two readers look at the archive, Python's here and torch's own afterwards. Whatever they could understand in two ways is
refused: compressed, encrypted or repeated entries, names that differ only in case, bytes before or after the archive.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

MAX_BYTES = 8 * 2**30  # a training checkpoint of yolov5x6 with AdamW has 2.2 GB
MAX_PICKLE_BYTES = 4 * 2**20  # official ones have 0.1 to 0.3 MB; a second per megabyte is what it takes
_END_BYTES = 22  # of a zip archive's last record, without a comment
_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9"  # the magic number of torch before 1.6, pickled
_ENCRYPTED = 0x1
_FOLDER = 0x10  # of MS-DOS: torch reads nothing of such an entry, and its tensors hold whatever was in memory


@dataclass(frozen=True)
class Archive:
    """What a ``.pt`` file holds.

    Attributes:
        pickle:
            The pickle ``data.pkl``, which nobody has read yet.
        storages:
            Size in bytes of the tensor storages, by key.
    """

    pickle: bytes
    storages: Mapping[str, int]


def open_archive(file: BinaryIO, *, checksums: bool = True) -> Archive:
    """Check the archive that ``file`` holds from its first to its last byte.

    Args:
        file:
            Open for reading; its position changes.
        checksums:
            Compare the checksum of every entry, which torch does not do.

    Raises:
        ValueError: It is none that ``torch.save`` writes; the message says why.
        zipfile.BadZipFile: It is damaged.
    """
    size = _check_frame(file)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        _check_entries(entries, size)
        root = entries[0].filename.partition("/")[0]
        storages, prefix = {}, f"{root}/data/"
        for entry in entries:
            if not entry.filename.startswith(f"{root}/"):
                raise ValueError("its archive has several roots")
            if entry.filename.startswith(prefix):
                storages[entry.filename.removeprefix(prefix)] = entry.file_size
        pickle = _pickle(archive, root)
        damaged = archive.testzip() if checksums else None
        if damaged is not None:
            raise ValueError(f"it is damaged: the checksum of {damaged!a} differs")
        return Archive(pickle, storages)


def _check_frame(file: BinaryIO) -> int:
    """The file's size in bytes; nothing may stand before or after the archive in it."""
    size, head = file.seek(0, 2), _bytes_at(file, 0, len(_LEGACY))
    if size > MAX_BYTES:
        raise ValueError(f"it has {size / 2**30:.0f} GiB and {MAX_BYTES // 2**30} GiB are allowed")
    if head == _LEGACY:
        raise ValueError("it is in the format of torch before 1.6: load and save it once with a newer torch")
    if not head.startswith(b"PK\x03\x04") or size < _END_BYTES:
        raise ValueError("it is no zip archive, as torch.save writes it")
    if _bytes_at(file, size - _END_BYTES, 4) != b"PK\x05\x06":
        raise ValueError("its zip archive is cut short, or something follows it")
    file.seek(0)
    return size


def _bytes_at(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    if not entries or min(entry.header_offset for entry in entries) != 0:
        raise ValueError("its zip archive is empty or does not start with the file")
    if len({entry.filename.lower() for entry in entries}) < len(entries):
        raise ValueError("its archive holds two entries of one name")
    if sum(entry.file_size for entry in entries) > size:
        raise ValueError("its entries claim to be larger than the file")
    for entry in entries:
        _check_entry(entry)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    plain = entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size
    if not plain or entry.flag_bits & _ENCRYPTED:
        raise ValueError(f"its entry {name!a} is compressed or encrypted, which torch.save never does")
    if entry.external_attr & _FOLDER:
        raise ValueError(f"its entry {name!a} is marked as a folder, which torch.save never does")
    parts = name.split("/")
    if name != entry.orig_filename or not name.isascii() or "\\" in name or "" in parts or ".." in parts:
        raise ValueError(f"its entry {name!a} has a name that torch.save never gives")


def _pickle(archive: zipfile.ZipFile, root: str) -> bytes:
    names = set(archive.namelist())
    if f"{root}/constants.pkl" in names:
        raise ValueError("it is a TorchScript archive, which is a program")
    if f"{root}/data.pkl" not in names:
        raise ValueError("its archive holds no data.pkl")
    if archive.getinfo(f"{root}/data.pkl").file_size > MAX_PICKLE_BYTES:
        raise ValueError(f"its pickle has more than {MAX_PICKLE_BYTES // 2**20} MiB")
    return archive.read(f"{root}/data.pkl")
