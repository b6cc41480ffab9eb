"""Paths that may be a bucket's URI, and files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from data_prep.files import write_atomically


def is_uri(path: str) -> bool:
    """Whether a path names a scheme (``s3://...``, ``gs://...``) and is none of the local file system's."""
    return "://" in path


def absolute(path: str, info: ValidationInfo) -> str:
    """A path of a configuration, made absolute against the folder of its YAML; a URI as it is."""
    folder = (info.context or {}).get("folder", Path.cwd())
    return path if is_uri(path) else str(Path(folder, Path(path).expanduser()).resolve())


PathOrUri = Annotated[str, AfterValidator(absolute)]
"""A path, made absolute like :data:`data_prep.validation.ConfigPath`, or the URI of a bucket or a data base."""


def join(base: str, *parts: str) -> str:
    """Join parts to a path or a URI, whose query (``s3://bucket/a?region=x``) stays at the end."""
    head, mark, query = base.partition("?") if is_uri(base) else (base, "", "")
    return "/".join((head.rstrip("/"), *parts)) + mark + query


def write_text(path: Path, content: str) -> None:
    """Write a text file in UTF-8 so that neither a reader nor a kill ever meets half of it."""
    write_atomically(path, content.encode())
