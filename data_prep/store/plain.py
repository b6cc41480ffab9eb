"""Plain files and folders; a FIFO or a device is never opened, because that can block for ever."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from data_prep.errors import InputError
from data_prep.records import Source
from data_prep.store.names import is_junk

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class TooLargeError(InputError):
    """A file is larger than the limits allow."""


def kind_of(mode: int) -> str | None:
    """Say what a file mode stands for where it is no regular file; None where it is one."""
    kind = stat.S_IFMT(mode)
    return None if kind == stat.S_IFREG else _KINDS.get(kind, "of an unknown type")


def open_file(path: Path) -> BufferedReader:
    """Open a regular file for reading.

    Raises:
        InputError: It is something else.
        OSError: It cannot be read.
    """
    kind = kind_of(path.stat().st_mode)
    if kind is not None:
        raise InputError(f"{Source(path)} is {kind} and no file; correct the path or remove it")
    return path.open("rb")


def read_file(path: Path, most: int) -> bytes:
    """Return the content of a regular file.

    Raises:
        InputError: It is something else, has more than ``most`` bytes, or grows meanwhile.
        OSError: It cannot be read.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        require_size(Source(path), size, most)
        content = file.read(size + 1)
    if len(content) != size:
        raise InputError(f"{Source(path)} changed while it was read; wait until it is whole")
    return content


def read_at(file: int, size: int, offset: int) -> bytes:
    """Read from an open file without moving its position, which threads share.

    Args:
        file:
            Its descriptor.
        size:
            Bytes to read.
        offset:
            Where they begin.

    Raises:
        EOFError: They are not all there.
        OSError: They cannot be read.
    """
    parts = []
    while size and (part := os.pread(file, size, offset)):  # the kernel gives at most 2 GiB at once
        parts.append(part)
        size, offset = size - len(part), offset + len(part)
    if size:
        raise EOFError("it is cut off")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def require_size(source: Source, size: int, most: int) -> None:
    """Refuse what is too large.

    Raises:
        TooLargeError: It is.
    """
    if size > most:
        raise TooLargeError(f"{source} has {size} bytes and {most} are allowed; raise that in `limits` or remove it")


def list_folder(folder: Path, most: int) -> list[Path]:
    """List the files of a folder and of the folders in it, sorted by their path with ``/`` between.

    Links are followed, but not back to a folder that the path came through. A link that leads nowhere counts as a
    file: reading it says what is wrong. Hidden files and folders (``.ipynb_checkpoints``) and macOS junk are left out.

    Args:
        folder:
            The folder.
        most:
            Files and folders that it may have.

    Raises:
        InputError: It holds a FIFO, a socket or a device, or too much.
        OSError: It cannot be read.
    """
    found: list[Path] = []
    waiting: list[tuple[Path, tuple[tuple[int, int], ...]]] = [(folder, ())]
    seen = 0
    while waiting:
        place, above = waiting.pop()
        status = place.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            continue
        with os.scandir(place) as entries:
            for entry in entries:
                seen += 1
                if seen > most:
                    raise InputError(f"{Source(folder)} holds more than {most} files and folders; raise `limits`")
                if entry.name.startswith(".") or is_junk(entry.name):
                    continue
                if _is_folder(entry):
                    waiting.append((Path(entry.path), (*above, identity)))
                else:
                    found.append(Path(entry.path))
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        if entry.is_file() or entry.is_dir():
            return entry.is_dir()
        kind = kind_of(entry.stat().st_mode)
    except OSError:  # a link to nothing, to itself, or to where we may not look
        return False
    raise InputError(f"{Source(Path(entry.path))} is {kind} and no file; remove it")
