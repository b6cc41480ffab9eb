"""Small files that all rooms read and write: YAML read safely, anything written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from data_prep.errors import InputError


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that must hold keys and values; nothing in it is executed.

    Raises:
        InputError: The file is missing, no UTF-8 text, no YAML, or holds something else.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is no valid YAML{_position(error)}; correct it there") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} holds no `key: value` pairs; write the settings as such")
    return {str(key): value for key, value in data.items()}


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that after a crash at any moment the old or the new content is there, never a part.

    Raises:
        OSError: The disk is full or cannot be written; the old content is still there.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:  # Ctrl-C, too
        draft.unlink(missing_ok=True)
        raise


def _position(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
