"""What an open archive offers, and the bounds that hold for every kind of archive."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from data_prep.errors import InputError
from data_prep.limits import Limits
from data_prep.records import Source

_SMALL = 2**20  # bytes; whatever stays below is no bomb, however well it was packed


class DamagedError(ValueError):
    """An archive is not what its format asks for; the text follows "cannot be read"."""


class Archive(Protocol):
    """An archive whose directory was read and found harmless. Threads may read at the same time."""

    @property
    def names(self) -> Collection[str]:
        """Names of its files, in the order of its directory."""

    def size(self, name: str) -> int:
        """Return the size in bytes of a file, unpacked.

        Raises:
            KeyError: There is none of that name.
        """

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            Exception: Any of :data:`data_prep.store.store.DAMAGE`, where the archive is damaged.
        """

    def fingerprint(self, name: str) -> str:
        """Return a text that changes with the content of a file; the content is not read."""

    def close(self) -> None:
        """Give the file back."""


def require_members(archive: Path, count: int, limits: Limits) -> None:
    """Refuse an archive of too many members.

    Raises:
        InputError: It is one.
    """
    if count > limits.archive_members:
        message = f"has more than {limits.archive_members} members; raise `limits.archive_members` or split it"
        raise InputError(f"{Source(archive)} {message}")


def require_total(archive: Path, unpacked: int, packed: int, limits: Limits) -> None:
    """Refuse an archive that is too large, or too large for what it was packed to.

    Args:
        archive:
            For messages.
        unpacked:
            Bytes of all members together.
        packed:
            Bytes of the archive.
        limits:
            The bounds.

    Raises:
        InputError: It is beyond them.
    """
    if unpacked > limits.archive_bytes:
        message = f"unpacks to {unpacked} bytes and {limits.archive_bytes} are allowed"
        raise InputError(f"{Source(archive)} {message}; raise `limits.archive_bytes` or split it")
    require_ratio(Source(archive), unpacked, packed, limits)


def require_ratio(source: Source, unpacked: int, packed: int, limits: Limits) -> None:
    """Refuse what unpacks to many times its packed size: a bomb.

    Raises:
        InputError: It does.
    """
    if unpacked > _SMALL and unpacked > packed * limits.archive_ratio:
        message = f"unpacks from {packed} to {unpacked} bytes, more than {limits.archive_ratio:g} times as many"
        raise InputError(f"{source} {message}; raise `limits.archive_ratio` if you trust it, else remove it")
