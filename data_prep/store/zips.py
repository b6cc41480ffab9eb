"""Zip archives, read strictly.

:mod:`zipfile` loses members in silence where the directory is damaged (it does not look at their number), makes objects
of ten times the directory's size before anybody can count them, and passes overlapping members on some versions of
Python. What is needed of the format is small, so it is read here.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (header of a member), 4.3.12 (directory), 4.3.14 to 4.3.16 (its end),
4.4.4 (flags) and 4.5.3 (sizes beyond 4 GiB).
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from data_prep.errors import InputError
from data_prep.limits import Limits
from data_prep.records import Source
from data_prep.store.archive import DamagedError, require_members, require_ratio, require_total
from data_prep.store.names import guess_encoding, index_names
from data_prep.store.plain import kind_of, open_file, read_at

_HEADER = struct.Struct("<4s22x2H")  # signature, lengths of name and extra fields
_ENTRY = struct.Struct("<4s4x2H4x3I3H4x2I")
_END = struct.Struct("<4s4H2I")
_END_64 = struct.Struct("<4s12x2I4Q4s16x")  # with its locator
_END_BYTES = _END.size + 2  # and the length of a comment
_MOST_COMMENT = 2**16

_ENCRYPTED = 0x0001 | 0x0040 | 0x2000  # the content, strongly so, the directory
_UTF8 = 0x0800
_STORED, _DEFLATED = 0, 8
_IN_EXTRA, _EXTRA_64 = 0xFFFFFFFF, 1


@dataclass(frozen=True, slots=True)
class _Member:
    """What the directory says of a member; ``start`` is the offset of its header, sizes are in bytes."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    start: int


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the directory lies, how many members it says it has (modulo 2**16), and what precedes the archive."""

    start: int
    end: int
    count: int
    shift: int


class ZipArchive:
    """A zip archive (see :class:`.archive.Archive`)."""

    def __init__(self, path: Path, limits: Limits) -> None:
        """Read the directory and check it.

        Raises:
            InputError: The archive is dangerous or beyond the limits.
            Exception: Any of :data:`data_prep.store.store.DAMAGE`, where it is damaged.
        """
        self._file = open_file(path)
        try:
            length = os.fstat(self._file.fileno()).st_size
            self._members = _index(path, self._file, length, limits)
        except BaseException:
            self._file.close()
            raise

    @property
    def names(self) -> Collection[str]:
        """Names of its files."""
        return self._members.keys()

    def size(self, name: str) -> int:
        """Return the unpacked size as the directory has it."""
        return self._members[name].size

    def read(self, name: str) -> bytes:
        """Return the content, its size and checksum verified."""
        member, file = self._members[name], self._file.fileno()
        header = read_at(file, _HEADER.size + len(member.raw_name), member.start)
        signature, name_bytes, extra_bytes = _HEADER.unpack_from(header)
        if (signature, name_bytes, header[_HEADER.size :]) != (b"PK\3\4", len(member.raw_name), member.raw_name):
            raise DamagedError("its header is not what the directory says")
        packed = read_at(file, member.packed, member.start + len(header) + extra_bytes)
        content = packed if member.method == _STORED else _inflate(packed, member.size)
        if len(content) != member.size or zlib.crc32(content) != member.crc:
            raise DamagedError("its size or checksum is not what the directory says")
        return content

    def fingerprint(self, name: str) -> str:
        """Return checksum and size, as the directory has them: the same on every machine."""
        member = self._members[name]
        return f"{member.crc:08x}-{member.size}"

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _inflate(packed: bytes, size: int) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)  # no more, whatever is packed in there


def _index(path: Path, file: BufferedReader, length: int, limits: Limits) -> dict[str, _Member]:
    directory = _find_directory(file.fileno(), length)
    members: list[_Member] = []
    for member in _parse_directory(file, directory):
        members.append(member)
        require_members(path, len(members), limits)
    if (len(members) - directory.count) % 2**16 or (not members and directory.start):
        raise DamagedError("its directory is not whole")
    names = _decode_names(members)
    for name, member in zip(names, members, strict=True):
        _require_harmless(Source(path, name), member, limits)
    _require_apart(path, zip(names, members, strict=True), directory.start)
    require_total(path, sum(member.size for member in members), length, limits)
    return index_names(path, zip(names, members, strict=True))


def _find_directory(file: int, length: int) -> _Directory:
    tail_start = max(0, length - _END_BYTES - _MOST_COMMENT)
    tail = read_at(file, length - tail_start, tail_start)
    at = tail.rfind(b"PK\5\6")
    if at < 0:
        raise DamagedError("it is neither a zip nor an uncompressed tar archive, or it is cut off")
    _, disk, first_disk, here, count, size, offset = _END.unpack_from(tail, at)
    end = tail_start + at
    if end >= _END_64.size:
        large = _END_64.unpack(read_at(file, _END_64.size, end - _END_64.size))
        if (large[0], large[-1]) == (b"PK\6\6", b"PK\6\7"):
            _, disk, first_disk, here, count, size, offset, _ = large
            end -= _END_64.size
    if disk or first_disk or here != count:
        raise DamagedError("it is one of several parts, or damaged")
    start = end - size
    if start < offset:
        raise DamagedError("its directory is not whole")
    return _Directory(start, end, count, shift=start - offset)


def _parse_directory(file: BufferedReader, directory: _Directory) -> Iterator[_Member]:
    at = file.seek(directory.start)
    while at < directory.end:
        entry = _ENTRY.unpack(file.read(_ENTRY.size))
        signature, flags, method, crc, packed, size, name_bytes, extra_bytes, comment_bytes, attributes, start = entry
        name, extra, _ = (file.read(count) for count in (name_bytes, extra_bytes, comment_bytes))
        at += _ENTRY.size + name_bytes + extra_bytes + comment_bytes
        if signature != b"PK\1\2" or at > directory.end:
            raise DamagedError("its directory is damaged")
        size, packed, start = _extend((size, packed, start), extra)
        yield _Member(name, flags, method, crc, packed, size, attributes >> 16, start + directory.shift)


def _extend(values: tuple[int, ...], extra: bytes) -> Iterator[int]:
    """Take from the extra fields what did not fit into 32 bits."""
    wide: Iterator[tuple[int]] = iter(())
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _EXTRA_64:
            wide = struct.iter_unpack("<Q", extra[4 : 4 + length // 8 * 8])
        extra = extra[4 + length :]
    for value in values:
        yield next(wide, (value,))[0] if value == _IN_EXTRA else value


def _decode_names(members: Iterable[_Member]) -> list[str]:
    """Decode names that may be UTF-8, flagged or not, or CP949; the format's own CP437 where neither fits."""
    unflagged = guess_encoding(member.raw_name for member in members if not member.flags & _UTF8) or "cp437"
    return [member.raw_name.decode("utf-8" if member.flags & _UTF8 else unflagged) for member in members]


def _require_harmless(source: Source, member: _Member, limits: Limits) -> None:
    kind = kind_of(member.mode) if stat.S_IFMT(member.mode) not in (0, stat.S_IFDIR) else None
    if kind is not None:
        raise InputError(f"{source} is {kind} and no file; remove it from the archive")
    if member.flags & _ENCRYPTED:
        raise InputError(f"{source} is encrypted; pack the archive again without a password")
    if member.method not in (_STORED, _DEFLATED):
        raise InputError(f"{source} is packed by method {member.method}; pack the archive again by `deflate`")
    require_ratio(source, member.size, member.packed, limits)


def _require_apart(path: Path, members: Iterable[tuple[str, _Member]], end: int) -> None:
    """Refuse members that share bytes, as in the bombs of Fifield (2019), "A better zip bomb".

    Args:
        path:
            The archive, for messages.
        members:
            Names and what the directory says.
        end:
            Offset of the directory.
    """
    for name, member in sorted(members, key=lambda member: member[1].start, reverse=True):
        if member.start + _HEADER.size + len(member.raw_name) + member.packed > end:
            message = "overlaps what comes behind it, as in a bomb or a damaged archive; fetch it again"
            raise InputError(f"{Source(path, name)} {message}")
        end = member.start
