"""Checkpoints on disk: tensors in ``tensors.pt``, what a person can read in ``checkpoint.json``; atomic.

``checkpoint.json`` is written last and names the size and SHA-256 of the tensors, so a folder whose writing or
copying was cut short is never taken for a checkpoint. Nothing in it is pickled code: the tensors load under
``weights_only=True``.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from data_prep.errors import WorkFailedError
from data_prep.files import write_atomically

TENSORS = "tensors.pt"
READABLE = "checkpoint.json"


def write_checkpoint(folder: str | Path, tensors: Mapping[str, Any], readable: Mapping[str, Any]) -> None:
    """Write a checkpoint into ``folder`` (created if absent), so that it is there whole or not at all.

    Args:
        folder:
            Where to; an older checkpoint in it is replaced.
        tensors:
            Nested mappings and lists of tensors and plain numbers.
        readable:
            What JSON can hold: epoch, metrics, settings.

    Raises:
        WorkFailedError: The disk is full or cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(dict(tensors), buffer)
    content = buffer.getvalue()
    described = {
        **readable,
        "tensors": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()},
    }
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / READABLE).unlink(missing_ok=True)
        write_atomically(Path(folder) / TENSORS, content)
        write_atomically(Path(folder) / READABLE, json.dumps(described, indent=1).encode())
    except OSError as error:
        raise WorkFailedError(
            f"{folder}: the checkpoint cannot be written ({error.strerror}); free some disk."
        ) from error


def read_checkpoint(folder: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a checkpoint as (tensors, readable).

    Raises:
        WorkFailedError: There is no whole checkpoint in ``folder``.
    """
    try:
        readable = json.loads((Path(folder) / READABLE).read_text(encoding="utf-8"))
        content = (Path(folder) / TENSORS).read_bytes()
        whole = hashlib.sha256(content).hexdigest() == readable["tensors"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkFailedError(f"{folder}: holds no whole checkpoint ({error}); go on from an older one.") from error
    if not whole:
        raise WorkFailedError(f"{folder}: {TENSORS} is damaged (its SHA-256 differs); go on from an older checkpoint.")
    tensors = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return tensors, readable
