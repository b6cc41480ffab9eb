"""Reads raw bytes from files and zip archives; nothing is unpacked to disk under a name the archive chose.

Every archive is opened once and held open, because opening parses its whole directory: doing that per picture
would cost quadratic time. Limits on sizes and ratios of archive members belong here, too.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO

from PIL import Image, UnidentifiedImageError

from data_prep.errors import InputError
from data_prep.records import Source

#: What :mod:`zipfile` raises on damaged, encrypted or exotic archives.
_ZIP_ERRORS = (
    zipfile.BadZipFile, RuntimeError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, struct.error
)  # fmt: skip
_UTF8_FLAG = 0x800  # bit 11 of a member's flags: its name is UTF-8 (APPNOTE.TXT 4.4.4)
_EXIF_ORIENTATION = 0x0112
_QUARTER_TURNS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height


class RawStore:
    """Context manager that reads raw files and keeps the archives they lie in open.

    Example:
        >>> with RawStore() as store:  # doctest: +SKIP
        ...     pictures = store.members(Path("pigs.zip"))
        ...     width, height = store.image_size(pictures[0])
    """

    def __init__(self) -> None:
        self._archives: dict[Path, zipfile.ZipFile] = {}

    def __enter__(self) -> RawStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for archive in self._archives.values():
            archive.close()
        self._archives.clear()

    def members(self, archive: Path) -> list[Source]:
        """List the files inside a zip archive, in the order of its directory.

        Raises:
            InputError: The archive is missing, unreadable or damaged.
        """
        opened = self._open_archive(archive)
        return [Source(archive, info.filename) for info in opened.infolist() if not info.is_dir()]

    def read(self, source: Source) -> bytes:
        """Return the whole content of one raw file.

        Raises:
            InputError: It is missing, unreadable, damaged or encrypted.
        """
        try:
            with self._stream(source) as stream:
                return stream.read()
        except InputError:  # it is a ValueError, too, and says more
            raise
        except _ZIP_ERRORS as error:
            raise _unreadable(source, error) from error

    def image_size(self, source: Source) -> tuple[int, int]:
        """Return ``(width, height)`` in pixels as shown, from the header alone.

        A quarter turn in the EXIF orientation swaps the two, as YOLOv5 and OpenCV do when they load the
        picture.

        Raises:
            InputError: The file cannot be read or is no picture.
        """
        try:
            with self._stream(source) as stream, Image.open(stream) as image:
                width, height = image.size
                turned = image.getexif().get(_EXIF_ORIENTATION) in _QUARTER_TURNS
        except InputError:
            raise
        except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
            message = f"{source} cannot be read as a picture; replace it or remove it together with its label"
            raise InputError(message) from error
        except _ZIP_ERRORS as error:
            raise _unreadable(source, error) from error
        return (height, width) if turned else (width, height)

    def fingerprint(self, source: Source) -> str:
        """Return a text that changes when the content does, the same on every machine.

        Archive members are taken by the checksum and size in the archive's directory, which costs no reading.

        Raises:
            InputError: The file cannot be read.
        """
        if source.member is None:
            return hashlib.sha256(self.read(source)).hexdigest()
        info = self._open_archive(source.path).getinfo(source.member)
        return f"{info.CRC:08x}-{info.file_size}"

    def _stream(self, source: Source) -> IO[bytes]:
        if source.member is None:
            return source.path.open("rb")
        # Buffered, because Pillow reads a header in many tiny steps.
        opened = self._open_archive(source.path).open(source.member)
        return io.BufferedReader(opened)  # type: ignore[type-var]  # ZipExtFile is a BufferedIOBase

    def _open_archive(self, archive: Path) -> zipfile.ZipFile:
        if archive not in self._archives:
            try:
                self._archives[archive] = _open_with_encoding(archive)
            except _ZIP_ERRORS as error:
                raise _unreadable(Source(archive), error) from error
        return self._archives[archive]


def _open_with_encoding(archive: Path) -> zipfile.ZipFile:
    """Open a zip whose member names may be UTF-8, flagged or not, or CP949 (Korean Windows)."""
    opened = zipfile.ZipFile(archive)
    unflagged = [info.filename for info in opened.infolist() if not info.flag_bits & _UTF8_FLAG]
    raw = b"\n".join(name.encode("cp437") for name in unflagged)  # zipfile reads unflagged names as CP437
    if raw.isascii():
        return opened
    for encoding in ("utf-8", "cp949"):
        try:
            raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        opened.close()
        return zipfile.ZipFile(archive, metadata_encoding=encoding)
    return opened


def _unreadable(source: Source, error: BaseException) -> InputError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(f"{source} cannot be read ({reason}); check the path or fetch the file again")
