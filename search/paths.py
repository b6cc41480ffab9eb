"""Paths that may be a bucket's URI, and files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationInfo

from data_prep.files import write_atomically
from trainable.downloads import official_names


def is_uri(path: str) -> bool:
    """Whether a path names a scheme (``s3://...``, ``gs://...``) and is none of the local file system's."""
    return "://" in path


def absolute(path: str, info: ValidationInfo) -> str:
    """A path of a configuration, made absolute against the folder of its YAML; a URI as it is."""
    folder = (info.context or {}).get("folder", Path.cwd())
    return path if is_uri(path) else str(Path(folder, Path(path).expanduser()).resolve())


def weights_path(weights: Any, info: ValidationInfo) -> Any:  # noqa: ANN401  whatever stands in the YAML
    """The weights of a configuration with their path made absolute; an official name is no path.

    Every node fetches such weights for itself, unless a file of that name lies there.
    """
    if not isinstance(weights, str):
        return weights
    resolved = absolute(weights, info)
    return weights if weights in official_names() and not Path(resolved).exists() else resolved


PathOrUri = Annotated[str, AfterValidator(absolute)]
"""A path, made absolute like :data:`data_prep.validation.ConfigPath`, or the URI of a bucket or a data base."""


def join(base: str, *parts: str) -> str:
    """Join parts to a path or a URI, whose query (``s3://bucket/a?region=x``) stays at the end."""
    head, mark, query = base.partition("?") if is_uri(base) else (base, "", "")
    return "/".join((head.rstrip("/"), *parts)) + mark + query


def write_text(path: Path, content: str) -> None:
    """Write a text file in UTF-8 so that neither a reader nor a kill ever meets half of it."""
    write_atomically(path, content.encode())
