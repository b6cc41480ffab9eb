"""Paths that may be a bucket's URI, and files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def is_uri(path: str) -> bool:
    """Whether a path names a scheme (``s3://...``, ``gs://...``) and is none of the local file system's."""
    return "://" in path


def join(base: str, *parts: str) -> str:
    """Join parts to a path or a URI, whose query (``s3://bucket/a?region=x``) stays at the end."""
    head, mark, query = base.partition("?") if is_uri(base) else (base, "", "")
    return "/".join((head.rstrip("/"), *parts)) + mark + query


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that neither a reader nor a kill ever meets half of it.

    ``trainable.checkpoint`` does the same; importing it would load torch into the driver.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_text(path: Path, content: str) -> None:
    """Write a text file in UTF-8 like :func:`write_bytes`."""
    write_bytes(path, content.encode())
