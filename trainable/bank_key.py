"""What the image files of a data set are known by, without reading them: a key that changes when they do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_prep.manifest import MANIFEST_NAME

Stamp = tuple[str, int, int]
"""Path, size in bytes, time of the last change in nanoseconds; -1 for both where there is no such file."""

DIGITS = 40
"""Hexadecimal digits of a key."""


def stamp(file: str) -> Stamp:
    """Look a file up in its folder."""
    try:
        found = Path(file).stat()
    except OSError:
        return file, -1, -1
    return file, found.st_size, found.st_mtime_ns


def manifest_sha256(data_yaml: Path) -> str:
    """Hash of the manifest beside a ``data.yaml`` (:attr:`data_prep.manifest.Manifest.digest`); empty without one."""
    manifest = data_yaml.with_name(MANIFEST_NAME)
    try:
        # To open a FIFO would be to wait for it.
        return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.is_file() else ""
    except OSError:
        return ""


def key_of(files: Sequence[str], **parts: Any) -> str:  # noqa: ANN401  # whatever JSON can write
    """Hash of what the files are known by and of ``parts``, :data:`DIGITS` long."""
    described = {"files": [stamp(file) for file in files], **parts}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:DIGITS]
