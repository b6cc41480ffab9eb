"""The URL of a study's storage: made absolute, and shown without its password."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_SECRET = re.compile(r"(?<=:)[^:@/]*(?=@)")
_HIDDEN = "***"


def absolute_url(url: str, folder: Path) -> str:
    """A storage URL whose SQLite file, if it names one, is absolute: relative ones start at ``folder``."""
    parsed = _parsed(url)
    if parsed is None or not _names_file(parsed):
        return url
    file = Path(folder, Path(str(parsed.database)).expanduser()).resolve()
    return parsed.set(database=str(file)).render_as_string(hide_password=False)


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None of any other."""
    parsed = _parsed(url)
    return Path(str(parsed.database)) if parsed is not None and _names_file(parsed) else None


def shown_url(url: str) -> str:
    """A storage URL for messages: without its password, wherever it has one."""
    parsed = _parsed(url)
    if parsed is None:
        return _SECRET.sub(_HIDDEN, url)
    secrets = {key: _HIDDEN for key in parsed.query if "pass" in key.lower()}
    return parsed.update_query_dict(secrets).render_as_string(hide_password=True)


def _parsed(url: str) -> URL | None:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number
        return None


def _names_file(url: URL) -> bool:
    """Whether a URL names a file, none in memory and none that SQLite itself reads as a URI."""
    name = url.database
    return (
        url.get_backend_name() == "sqlite" and bool(name) and name != ":memory:" and not str(name).startswith("file:")
    )
