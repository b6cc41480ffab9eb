"""Names inside archives: how they are decoded, which are refused, which are junk."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from data_prep.errors import InputError
from data_prep.records import Source

T = TypeVar("T")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DRIVE = re.compile(r"[A-Za-z]:")


def guess_encoding(names: Iterable[bytes]) -> str | None:
    """Return the encoding of names that say none: UTF-8, CP949 (Korean Windows), or None where neither fits all."""
    joined = b"\n".join(names)
    for encoding in ("utf-8", "cp949"):
        try:
            joined.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return None


def is_junk(name: str) -> bool:
    """Whether macOS put it there for itself: resource forks and the settings of its file browser."""
    parts = _parts(name)
    return "__MACOSX" in parts or parts[-1:] == [".DS_Store"] or "".join(parts[-1:]).startswith("._")


def index_names(archive: Path, members: Iterable[tuple[str, T]]) -> dict[str, T]:
    r"""Index what belongs to each file of an archive by its name; folders and junk are left out.

    Args:
        archive:
            The archive, for messages.
        members:
            Names, decoded, and what belongs to them. A name of a folder ends with a slash.

    Returns:
        Keys are the names with ``/`` between the parts and without empty parts and ``.``; a backslash separates,
        too, as Windows has it. Same order.

    Raises:
        InputError: A name is absolute, leads upwards, is empty, has control characters, or stands twice.
    """
    found: dict[str, T] = {}
    for name, value in members:
        parts = _parts(name)
        objection = _objection(name, parts)
        if objection is None and (name.endswith(("/", "\\")) or is_junk(name)):
            continue
        plain = "/".join(parts)
        if objection is None and plain in found:
            objection = "is there twice; keep one of them"
        if objection is not None:
            raise InputError(f"{Source(archive, name)} {objection}, and pack the archive again")
        found[plain] = value
    return found


def _objection(name: str, parts: list[str]) -> str | None:
    if _CONTROL.search(name):
        return "has a control character in its name; rename it"
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        return "has an absolute name; make it relative"
    if ".." in parts:
        return "has a name that leads out of the archive; rename it"
    if not parts and not name.endswith(("/", "\\")):
        return "has no name; give it one"
    return None


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
