"""Archives in every form that a store must understand, and crafted ones that it must refuse."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

CONTENTS = {"가축/돼지 1.jpg": b"pig" * 300, "가축/소 2.jpg": bytes(range(256)) * 5, "labels/empty.txt": b""}


def write_tar(
    path: Path, members: Mapping[str, bytes] = CONTENTS, *, form: int = tarfile.PAX_FORMAT, encoding: str = "utf-8"
) -> Path:
    with tarfile.open(path, "w", format=form, encoding=encoding) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_600_000_000
            archive.addfile(info, io.BytesIO(content))
    return path


def write_odd_tar(path: Path, kind: bytes, name: str = "pig.jpg", *, link: str = "/etc/passwd") -> Path:
    """A tar with one ordinary file and one member of type ``kind``."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("first.jpg"))
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        archive.addfile(info)
    return path


def tar_header(
    name: bytes = b"a.jpg", size: bytes = b"00000000003\0", kind: bytes = b"0", magic: bytes = b"", prefix: bytes = b""
) -> bytes:
    """One header block with a right checksum, whatever its fields say."""
    block = bytearray(512)
    for at, field in ((0, name), (124, size), (156, kind), (257, magic), (345, prefix)):
        block[at : at + len(field)] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def write_zip_entry(path: Path, name: str = "pig.jpg", content: bytes = b"pig", *, mode: int = 0) -> Path:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("first.jpg", b"first")
        archive.writestr(info, content)
    return path


def overlapping_zip(count: int = 40, size: int = 60_000) -> bytes:
    """``count`` directory entries for one stored member of ``size`` bytes: all of them the same bytes."""
    content, crc = bytes(size), zipfile.crc32(bytes(size))  # type: ignore[attr-defined]  # zipfile imports it from zlib
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0, crc, size, size, 5, 0) + b"a.jpg"
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, crc, size, size, 5, 0, 0, 0, 0, 0, 0)
    directory = b"".join(entry + b"a.jpg" for number in range(count))
    start = len(local) + size
    return (
        local + content + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), start, 0)
    )
