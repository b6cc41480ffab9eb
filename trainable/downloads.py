"""Official weights by their name: found, or fetched once per machine into a cache, and checked ever after.

Needs neither torch nor yolov5, so that the driver of a sweep can ask whether a name is official. Nothing is fetched
there: every node fetches for itself, at the check before the sweep or at its first trial.

The cache (``$XDG_CACHE_HOME/hypsweep/weights``, else ``~/.cache/hypsweep/weights``) holds ``yolov5n.pt`` and beside it
``yolov5n.pt.sha256``, written at the first download in the form of ``sha256sum``.
"""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from data_prep.durable import remove_drafts, replacing, write_error
from data_prep.errors import InputError, WorkFailedError
from trainable.bank_folder import disk_folder
from trainable.http_file import Source, stream
from trainable.models import model_names
from trainable.weights_archive import open_archive

logger = logging.getLogger(__name__)

RELEASE = "https://github.com/ultralytics/yolov5/releases/download/v7.0"
"""Where Ultralytics publishes them."""
_OFFICIAL = re.compile(r"yolov5[nsmlx]6?\.pt")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LOCK_SECONDS = 3600.0  # a download in another process; it ends by itself before that


def official_names() -> list[str]:
    """Names of the released detection weights: ``yolov5n.pt`` ... ``yolov5x6.pt``."""
    return [f"{model}.pt" for model in model_names() if _OFFICIAL.fullmatch(f"{model}.pt")]


def weights_folder() -> Path:
    """The cache folder of this machine's user.

    Raises:
        InputError: The user has no home folder.
    """
    try:
        return disk_folder(None).path / "weights"
    except OSError as error:
        raise InputError("there is no home folder to keep weights in; set XDG_CACHE_HOME to a folder.") from error


def find_weights(
    weights: str, sha256: str | None = None, *, folder: Path | None = None, source: Source | None = None
) -> Path:
    """The file of a ``weights`` setting: a path, or an official name, which is fetched where it is not there yet.

    A file of that name in the working folder goes before the cache. Several processes at once make one download.

    Args:
        weights:
            A path, or a name out of :func:`official_names`.
        sha256:
            What the SHA-256 must be, 64 hex digits; None takes the one recorded at the first download.
        folder:
            The cache; None takes :func:`weights_folder`.
        source:
            Where to fetch from; None takes Ultralytics' release.

    Raises:
        InputError: There is no such file, here or there, or its SHA-256 is another one.
        WorkFailedError: It cannot be fetched now: no network, a proxy, a full disk.
    """
    # YAML makes a number of one that happens to have no letters.
    if sha256 is not None and not (isinstance(sha256, str) and _DIGEST.fullmatch(sha256.lower())):
        raise InputError(f"train.weights_sha256 is {sha256!r}: give the 64 hex digits of `sha256sum` in quotes.")
    path = Path(weights).expanduser()
    if path.exists():
        if sha256 is not None:
            check_digest(path, sha256)
        return path
    if weights not in official_names():
        raise InputError(
            f"train.weights: there is no file {weights}: correct the path, or give an official name "
            f"({', '.join(official_names())})."
        )
    return _cached(weights, sha256, folder or weights_folder(), source or Source(RELEASE))


def check_digest(path: Path, expected: str, remedy: str = "take the file that was meant, or correct it") -> None:
    """Compare a file with its SHA-256.

    Raises:
        InputError: It is another one, or the file cannot be read.
    """
    try:
        found = _sha256(path)
    except OSError as error:
        raise InputError(f"{path}: the weights cannot be read ({error.strerror}); correct the path.") from error
    if found != expected.lower():
        raise InputError(f"{path}: its SHA-256 is {found} and should be {expected.lower()}; {remedy}.")


def _cached(name: str, sha256: str | None, folder: Path, source: Source) -> Path:
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock", timeout=_LOCK_SECONDS):
            if not path.is_file():
                _fetch(path, sha256, source)
            _check_cached(path, sha256)
    except Timeout as error:
        raise WorkFailedError(f"{path}: another process has been fetching it for an hour; end that one.") from error
    except OSError as error:
        raise write_error(
            f"{path}: the weights cannot be kept there (XDG_CACHE_HOME moves the cache)", error
        ) from error
    return path


def _fetch(path: Path, sha256: str | None, source: Source) -> None:
    """Download to a file beside ``path`` that takes its place when all of it is there and is the right one."""
    remove_drafts(path.parent, path.name)
    logger.info("fetching %s from %s", path, source.url(path.name))
    advice = f"put the file at {path}, or give the path of one in `weights`"
    with replacing(path) as file:
        found = stream(source, path.name, file, advice)
        _check_whole(file, source.url(path.name), advice)
        expected = sha256 or _recorded(path)
        if expected is not None and found != expected.lower():
            raise InputError(
                f"{source.url(path.name)}: what came has the SHA-256 {found} and should have {expected.lower()}, says "
                f"{'weights_sha256' if sha256 else _record(path)}; correct that only if you trust the source."
            )


def _check_whole(file: BinaryIO, url: str, advice: str) -> None:
    """A first download has no digest to be held against, but its archive has checksums."""
    try:
        open_archive(file)
    # A damaged archive makes zipfile raise nearly anything.
    except Exception as error:
        raise InputError(f"{url}: what came is no whole .pt file ({error}); {advice}.") from error
    file.seek(0, 2)


def _check_cached(path: Path, sha256: str | None) -> None:
    """Check a file against the settings and its record; one without a record was put there by hand, and gets one."""
    if sha256 is not None:
        check_digest(path, sha256, "correct weights_sha256, or delete the file to fetch it again")
    recorded = _recorded(path)
    if recorded is not None:
        check_digest(
            path, recorded, f"delete the file to fetch it again, or {_record(path).name} if the new one is meant"
        )
        return
    with replacing(_record(path)) as record:
        record.write(f"{_sha256(path)}  {path.name}\n".encode())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _recorded(path: Path) -> str | None:
    """The SHA-256 of the first download, or None.

    Raises:
        InputError: The record is damaged.
    """
    try:
        text = _record(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    digest = text.partition(" ")[0]
    if not _DIGEST.fullmatch(digest):
        raise InputError(f"{_record(path)}: holds no SHA-256; delete it to take the file beside it as it is.")
    return digest
