"""Looks at every picture of a raw data set once: bytes, hash, size, does it decode, a thumbnail.

What was seen can be kept in a journal, so that an interrupted run does not look at a picture twice.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from data_prep.errors import InputError
from data_prep.findings import Flaw, Kind
from data_prep.images import Examination, examine_image
from data_prep.pool import threaded_map
from data_prep.progress import Progress
from data_prep.records import RawImage, Source
from data_prep.store import RawStore, TooLargeError

_FLUSH_EVERY = 64  # pictures that a kill may cost


class Journal:
    """Context manager around a file of JSON lines, one per picture that was looked at.

    A line counts while the raw file has the fingerprint (:meth:`RawStore.fingerprint`) that it had then. A line
    that a kill cut off is ignored.

    Args:
        path:
            The file; made where it is missing.
        settings:
            What else the results depend on; a journal of other settings is begun anew.
    """

    def __init__(self, path: Path, settings: str) -> None:
        self._path = path
        self._settings = settings
        self._known: dict[str, Examination] = {}
        self._file: IO[str] | None = None
        self._unflushed = 0

    def __enter__(self) -> Journal:
        lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines() if self._path.is_file() else []
        fresh = lines[:1] != [self._settings]
        self._known = {} if fresh else dict(filter(None, map(_parse, lines[1:])))
        self._file = self._path.open("w" if fresh else "a", encoding="utf-8")
        self._file.write(f"{self._settings}\n" if fresh else "\n")  # ends a line that was cut off
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def find(self, key: str) -> Examination | None:
        """Return what was seen of a picture; None where it is new."""
        return self._known.get(key)

    def add(self, key: str, seen: Examination) -> None:
        """Note what was seen."""
        if self._file is None:
            return
        flaw = None if seen.flaw is None else [seen.flaw.kind.value, seen.flaw.detail]
        thumbnail = base64.b64encode(seen.thumbnail).decode()
        self._file.write(json.dumps([key, seen.width, seen.height, seen.sha256, thumbnail, flaw]) + "\n")
        self._unflushed = (self._unflushed + 1) % _FLUSH_EVERY
        if not self._unflushed:
            self._file.flush()


def examine_images(
    images: Sequence[RawImage], store: RawStore, progress: Progress, journal: Journal | None = None
) -> list[Examination]:
    """Look at every picture, in threads.

    Args:
        images:
            What a reader found; where one has no picture, its stated size is taken.
        store:
            Gives the bytes.
        progress:
            Told of every picture as stage ``look``.
        journal:
            Spares pictures that were looked at before; None looks at all.

    Returns:
        One per image, in order. A file that cannot be read is an examination with a flaw.
    """

    def look(image: RawImage) -> tuple[str | None, Examination]:
        if image.source is None:
            return None, Examination(*(image.stated_size or (0, 0)), sha256="", thumbnail=b"", flaw=None)
        try:
            key = _key(image.source, store)
            known = journal.find(key) if journal else None
            return (None, known) if known else (key, examine_image(store.read(image.source), store.limits))
        except InputError as error:
            # Without the place, which differs between machines.
            reason = str(error).removeprefix(f"{image.source} ").replace(str(image.source.path), image.source.path.name)
            kind = Kind.OVERSIZED_IMAGE if isinstance(error, TooLargeError) else Kind.UNREADABLE_IMAGE
            return None, Examination(0, 0, sha256="", thumbnail=b"", flaw=Flaw(kind, reason))

    found = []
    for done, (key, seen) in enumerate(threaded_map(look, images), start=1):
        if journal and key is not None:
            journal.add(key, seen)
        found.append(seen)
        progress("look", done, len(images))
    return found


def _key(source: Source, store: RawStore) -> str:
    return f"{source.path}|{source.member or ''}|{store.fingerprint(source)}"


def _parse(line: str) -> tuple[str, Examination] | None:
    try:
        key, width, height, sha256, thumbnail, flaw = json.loads(line)
        flawed = Flaw(Kind(flaw[0]), flaw[1]) if flaw else None
        return key, Examination(width, height, sha256, base64.b64decode(thumbnail), flawed)
    except (ValueError, TypeError, IndexError, KeyError):
        return None
