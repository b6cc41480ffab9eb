"""Uncompressed tar archives, read strictly.

The format is small enough to be read here. :mod:`tarfile` of Python 3.11 hangs or takes quadratic time on some crafted
headers (CVE-2024-6232, CVE-2025-8194), allocates whatever an extended header asks for, and ends in silence at the first
damaged header, which would lose pictures.

Source: POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from data_prep.errors import InputError
from data_prep.limits import Limits
from data_prep.records import Source
from data_prep.store.archive import DamagedError, require_members, require_total
from data_prep.store.names import guess_encoding, index_names
from data_prep.store.plain import open_file, read_at

BLOCK: Final = 512

_FILES, _FOLDER, _VOLUME_LABEL = (b"0", b"\0", b"7"), b"5", b"V"
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"
_REFUSED = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a FIFO",
    b"S": "a sparse file",
    b"M": "a part of a file",
}
_MOST_EXTENDED = 2**20  # bytes of an extended header
_MOST_PADDING = 2**16  # bytes of zeros behind the end; the usual block has 10240


@dataclass(frozen=True, slots=True)
class _Member:
    """Where a file lies: offset and size in bytes, and its time stamp as it is written there."""

    offset: int
    size: int
    mtime: bytes


@dataclass(frozen=True, slots=True)
class _Header:
    name: bytes
    kind: bytes
    size: int
    mtime: bytes


class TarArchive:
    """A tar archive (see :class:`.archive.Archive`)."""

    def __init__(self, path: Path, limits: Limits) -> None:
        """Read all headers and check them.

        Raises:
            InputError: The archive is dangerous or beyond the limits.
            DamagedError: It is damaged.
            OSError: It cannot be read.
        """
        self._file = open_file(path)
        try:
            status = os.fstat(self._file.fileno())
            self._stamp = f"{status.st_mtime_ns}-{status.st_size}"
            self._members = _index(path, self._file.fileno(), status.st_size, limits)
        except BaseException:
            self._file.close()
            raise

    @property
    def names(self) -> Collection[str]:
        """Names of its files."""
        return self._members.keys()

    def size(self, name: str) -> int:
        """Return the size."""
        return self._members[name].size

    def read(self, name: str) -> bytes:
        """Return the content; tar has no checksum of it."""
        member = self._members[name]
        return read_at(self._file.fileno(), member.size, member.offset)

    def fingerprint(self, name: str) -> str:
        """Return time, size and place of the member, time and size of the archive."""
        member = self._members[name]
        return f"{member.mtime.hex()}-{member.size}-{member.offset}-{self._stamp}"

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def is_tar(start: bytes) -> bool:
    """Whether a file that starts like this (:data:`BLOCK` bytes) is an uncompressed tar archive."""
    if len(start) == BLOCK and not any(start):
        return True  # the end mark of an empty archive
    try:
        _parse_header(start)
    except DamagedError:
        return False
    return True


def _index(path: Path, file: int, length: int, limits: Limits) -> dict[str, _Member]:
    raw: list[bytes] = []
    members: list[_Member] = []
    total = 0
    for header, offset in _walk(file, length):
        require_members(path, len(raw) + 1, limits)
        source = Source(path, header.name.decode("utf-8", "surrogateescape"))
        if header.kind in _REFUSED:
            raise InputError(f"{source} is {_REFUSED[header.kind]} and no file; remove it from the archive")
        if header.kind not in (*_FILES, _FOLDER):
            raise InputError(f"{source} is of the unknown type {header.kind!r}; pack the archive again")
        total += header.size
        raw.append(header.name + b"/" * (header.kind == _FOLDER))
        members.append(_Member(offset, header.size, header.mtime))
    require_total(path, total, length, limits)
    encoding = guess_encoding(raw) or "utf-8"
    names = (name.decode(encoding, "surrogateescape") for name in raw)
    return index_names(path, zip(names, members, strict=True))


def _walk(file: int, length: int) -> Iterator[tuple[_Header, int]]:
    """Yield the header of every member, what extended headers say put in, and the offset of its content."""
    at, extended = 0, dict[bytes, bytes]()
    while any(block := os.pread(file, BLOCK, at)):
        header = _parse_header(block)
        at += BLOCK
        if header.kind in (_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK):
            extended |= _parse_extended(header, file, at)
        elif header.kind != _VOLUME_LABEL:
            header, extended = _extend(header, extended), {}
            yield header, at
        at += -(-header.size // BLOCK) * BLOCK
        if at > length:
            raise DamagedError("it is cut off")
    if extended or len(block) < BLOCK:
        raise DamagedError("it is cut off")
    rest = os.pread(file, _MOST_PADDING + 1, at)
    if len(rest) > _MOST_PADDING or any(rest):
        raise DamagedError("it goes on behind its end mark")


def _parse_header(block: bytes) -> _Header:
    if len(block) < BLOCK:
        raise DamagedError("it is cut off")
    # The checksum counts its own field as eight spaces.
    if _number(block[148:156]) != sum(block[:148]) + 8 * ord(" ") + sum(block[156:]):
        raise DamagedError("a header has a wrong checksum")
    name, kind = _text(block[:100]), block[156:157]
    if block[257:263] == b"ustar\0" and block[345]:  # GNU tar has other things there, and another magic
        name = _text(block[345:500]) + b"/" + name
    size = 0 if kind == _FOLDER else _number(block[124:136])
    return _Header(name, kind, size, block[136:148])


def _parse_extended(header: _Header, file: int, at: int) -> dict[bytes, bytes]:
    """Return what an extended header says of the next member, by the keys of pax."""
    if header.size > _MOST_EXTENDED:
        raise DamagedError(f"it has an extended header of {header.size} bytes")
    content = read_at(file, header.size, at)
    if header.kind == _LONG_LINK:
        return {}
    if header.kind == _LONG_NAME:
        return {b"path": content.rstrip(b"\0")}
    found = dict(_records(content))
    if header.kind == _PAX:
        return found
    if found.keys() & {b"path", b"size"}:
        raise DamagedError("a global header names or sizes all members")
    return {}


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a pax header: lines of their length in decimal, a space, ``key=value``."""
    at = 0
    while at < len(content):
        space = content.find(b" ", at, at + 20)
        digits = content[at:space] if space > 0 else b""
        line = content[space + 1 : at + int(digits)] if digits.isdigit() else b""
        key, equals, value = line.removesuffix(b"\n").partition(b"=")
        if not equals or not line.endswith(b"\n"):
            raise DamagedError("an extended header is damaged")
        yield key, value
        at += int(digits)


def _extend(header: _Header, extended: dict[bytes, bytes]) -> _Header:
    if any(key.startswith(b"GNU.sparse.") for key in extended):
        return replace(header, kind=b"S")
    size = extended.get(b"size")
    if size is not None and not (size.isdigit() and len(size) < 20):
        raise DamagedError("an extended header is damaged")
    return replace(header, name=extended.get(b"path", header.name), size=header.size if size is None else int(size))


def _number(field: bytes) -> int:
    """Parse a number: octal digits, or binary behind a first byte of 0x80 (GNU, for large files)."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise DamagedError("a header is damaged")
    return int(digits or b"0", 8)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]
