"""RawStore: reads raw bytes and keeps the archives that they lie in open."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from data_prep.errors import InputError
from data_prep.limits import Limits
from data_prep.records import Source
from data_prep.store.archive import Archive
from data_prep.store.plain import list_folder, open_file, read_file, require_size
from data_prep.store.tars import BLOCK, TarArchive, is_tar
from data_prep.store.zips import ZipArchive
from data_prep.text import printable

#: What reading a damaged file or archive raises.
DAMAGE = (OSError, EOFError, ValueError, ArithmeticError, MemoryError, struct.error, zlib.error)

#: How archives start whose files can be reached only by unpacking everything before them, or not at all:
#: gzip, bzip2, xz, zstd, lz4, compress, lzip, 7-Zip, RAR, ALZip, EGG.
_OTHER_ARCHIVES = (
    b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x1f\x9d", b"LZIP",
    b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"ALZ\x01", b"EGGA",
)  # fmt: skip


class RawStore:
    """Context manager that reads raw files and keeps the archives they lie in open.

    Every archive is opened once, because opening parses its whole directory: doing that per picture would cost
    quadratic time. Threads may call every method at the same time.

    Attributes:
        limits:
            What is refused as too large.

    Example:
        >>> with RawStore() as store:  # doctest: +SKIP
        ...     pictures = store.members(Path("pigs.zip"))
        ...     content = store.read(pictures[0])
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._archives: dict[Path, Archive] = {}
        self._opening = threading.Lock()

    def __enter__(self) -> RawStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for archive in self._archives.values():
            archive.close()
        self._archives.clear()

    def members(self, archive: Path) -> list[Source]:
        """List the files inside a zip or an uncompressed tar archive, told apart by content, in their order.

        Folders and what macOS adds for itself are left out.

        Raises:
            InputError: The archive is missing, unreadable, damaged, beyond the limits, or dangerous: a member has
                a name that leads elsewhere, is a link or a device, is encrypted, overlaps another one or shares its
                name. Nothing of such an archive is read.
        """
        with _explained(Source(archive)):
            return [Source(archive, name) for name in self._archive(archive).names]

    def files(self, place: Path) -> list[Source]:
        """List the files of a folder and the folders in it, sorted by path; or the members of an archive.

        Links in a folder are followed. What macOS adds for itself is left out.

        Raises:
            InputError: It is missing or cannot be read, the folder holds a FIFO, a socket or a device, or more than
                ``limits.archive_members``, or :meth:`members` refuses the archive.
        """
        with _explained(Source(place)):
            if not place.is_dir():
                return self.members(place)
            return [Source(path) for path in list_folder(place, self.limits.archive_members)]

    def read(self, source: Source, limit: int | None = None) -> bytes:
        """Return the whole content of one raw file.

        Args:
            source:
                The file, or the member as :meth:`members` names it.
            limit:
                Bytes that it may have; None stands for ``limits.image_bytes``.

        Raises:
            InputError: It is missing, unreadable, damaged, no regular file or too large.
        """
        most = self.limits.image_bytes if limit is None else limit
        with _explained(source):
            if source.member is None:
                return read_file(source.path, most)
            archive = self._archive(source.path)
            require_size(source, archive.size(source.member), most)
            return archive.read(source.member)

    def fingerprint(self, source: Source) -> str:
        """Return a text that changes when the content does; the content is not read.

        It is made of checksum and size in a zip, else of times and sizes.

        Raises:
            InputError: The file or its archive cannot be read.
        """
        with _explained(source):
            if source.member is not None:
                return self._archive(source.path).fingerprint(source.member)
            status = source.path.stat()
            return f"{status.st_size}-{status.st_mtime_ns}"

    def _archive(self, path: Path) -> Archive:
        opened = self._archives.get(path)
        if opened is None:
            with self._opening:
                opened = self._archives.get(path)  # another thread may have been first
                if opened is None:
                    opened = self._archives[path] = _open_archive(path, self.limits)
        return opened


def _open_archive(path: Path, limits: Limits) -> Archive:
    with open_file(path) as file:
        start = file.read(BLOCK)
    if start.startswith(_OTHER_ARCHIVES):
        message = "is packed as a whole, so single files are out of reach; unpack it to .tar or pack it as .zip"
        raise InputError(f"{Source(path)} {message}")
    # A tar whose last member is a zip would pass for a zip.
    if is_tar(start):
        return TarArchive(path, limits)
    return ZipArchive(path, limits)


@contextmanager
def _explained(source: Source) -> Iterator[None]:
    """Turn what reading raises into one sentence about ``source``."""
    try:
        yield
    except InputError:  # it is a ValueError, too, and says more
        raise
    except KeyError as error:
        raise InputError(f"{source} is not in the archive; correct the name") from error
    except DAMAGE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        message = f"cannot be read ({printable(reason)}); check the path or fetch the file again"
        raise InputError(f"{source} {message}") from error
