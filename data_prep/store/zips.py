"""Zip archives, read with :mod:`zipfile` after every promise of their directory was checked."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Collection, Iterable
from io import BufferedReader
from pathlib import Path

from data_prep.errors import InputError
from data_prep.limits import Limits
from data_prep.records import Source
from data_prep.store.archive import require_members, require_ratio, require_total
from data_prep.store.names import guess_encoding, index_names
from data_prep.store.plain import kind_of, open_file

# APPNOTE.TXT 4.4.4 and 4.3.12.
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000  # the content, strongly so, the directory
_UTF8 = 0x0800
_ENTRY = b"PK\x01\x02"
_HEADER_BYTES = 30  # of the header before each member, without its name


class ZipArchive:
    """A zip archive (see :class:`.archive.Archive`)."""

    def __init__(self, path: Path, limits: Limits) -> None:
        """Read the directory and check it.

        Raises:
            InputError: The archive is dangerous or beyond the limits.
            Exception: Any of :data:`data_prep.store.store.DAMAGE`, where it is damaged.
        """
        self._file = _GuardedFile(path, limits)
        try:
            # A file that it did not open itself is one that ZipFile never closes, so threads cannot race about that.
            self._zip = zipfile.ZipFile(self._file)
            self._file.guarded = False
            infos = self._zip.infolist()
            named = list(zip(_names(infos), infos, strict=True))
            self._infos = index_names(path, named)
            for name, info in named:
                _require_harmless(Source(path, name), info, limits)
            _require_apart(path, named, self._zip.start_dir)
            require_total(path, sum(info.file_size for info in infos), path.stat().st_size, limits)
        except BaseException:
            self._file.close()
            raise

    @property
    def names(self) -> Collection[str]:
        """Names of its files."""
        return self._infos.keys()

    def size(self, name: str) -> int:
        """Return the unpacked size as the directory has it."""
        return self._infos[name].file_size

    def read(self, name: str) -> bytes:
        """Return the content, its checksum verified."""
        info = self._infos[name]
        with self._zip.open(info) as stream:
            content = stream.read(info.file_size + 1)
        if len(content) != info.file_size:
            raise zipfile.BadZipFile("its size is not what the directory says")
        return content

    def fingerprint(self, name: str) -> str:
        """Return checksum and size, as the directory has them: the same on every machine."""
        info = self._infos[name]
        return f"{info.CRC:08x}-{info.file_size}"

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        self._file.close()


class _GuardedFile(BufferedReader):
    """A file that does not hand out a directory of too many members.

    ``ZipFile`` reads the directory in one piece and makes objects of ten times its size before anybody can count
    them.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        super().__init__(open_file(path).detach())
        self._path = path
        self._limits = limits
        self.guarded = True

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        if self.guarded:
            require_members(self._path, content.count(_ENTRY), self._limits)
        return content


def _names(infos: Iterable[zipfile.ZipInfo]) -> list[str]:
    """Decode names that may be UTF-8, flagged or not, or CP949; `zipfile` reads unflagged ones as CP437."""
    raw = [info.orig_filename.encode("cp437") for info in infos if not info.flag_bits & _UTF8]
    encoding = guess_encoding(raw)
    if encoding is None:
        return [info.orig_filename for info in infos]
    unflagged = iter(raw)
    return [info.orig_filename if info.flag_bits & _UTF8 else next(unflagged).decode(encoding) for info in infos]


def _require_harmless(source: Source, info: zipfile.ZipInfo, limits: Limits) -> None:
    mode = info.external_attr >> 16
    kind = kind_of(mode) if stat.S_IFMT(mode) not in (0, stat.S_IFDIR) else None
    if kind is not None:
        raise InputError(f"{source} is {kind} and no file; remove it from the archive")
    if info.flag_bits & _ENCRYPTED:
        raise InputError(f"{source} is encrypted; pack the archive again without a password")
    # Others can be unpacked by `zipfile` only in steps of unbounded size.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        message = f"is packed by method {info.compress_type}; pack the archive again by `deflate`"
        raise InputError(f"{source} {message}")
    require_ratio(source, info.file_size, info.compress_size, limits)


def _require_apart(path: Path, members: Iterable[tuple[str, zipfile.ZipInfo]], end: int) -> None:
    """Refuse members that share bytes, as in the bombs of Fifield (2019), "A better zip bomb".

    Args:
        path:
            The archive, for messages.
        members:
            Names and what the directory says.
        end:
            Offset of the directory.
    """
    for name, info in sorted(members, key=lambda member: member[1].header_offset, reverse=True):
        stored_name = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
        length = _HEADER_BYTES + len(stored_name) + info.compress_size
        if not 0 <= info.header_offset <= end - length:
            message = "overlaps what comes behind it, as in a bomb or a damaged archive; fetch it again"
            raise InputError(f"{Source(path, name)} {message}")
        end = info.header_offset
