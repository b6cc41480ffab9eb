"""Small files that all rooms read and write: YAML read safely, anything written whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from data_prep.durable import replacing
from data_prep.errors import InputError
from data_prep.text import printable

_MAX_BYTES = 4 * 2**20  # PyYAML reads about a megabyte a second
_MAX_VALUES = 1_000_000
_MAX_BITS = 13_000  # of an integer; Python refuses to print longer ones (4300 digits)
#: What PyYAML's constructors raise on values that do not fit their tag (`!!timestamp x`), besides its own errors.
_CONSTRUCTOR_ERRORS = (ValueError, RecursionError, AttributeError, TypeError, LookupError, ArithmeticError)


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that must hold keys and values; nothing in it is executed.

    Raises:
        InputError: The file is missing, no UTF-8 text, no YAML, holds something else, or is a bomb: too long, or
            aliases of aliases that stand for more values than memory holds.
    """
    try:
        data = yaml.safe_load(_text_of(path))
        too_many = _count(data, {}) > _MAX_VALUES
    except InputError:  # it is a ValueError, too, and says more
        raise
    except OSError as error:
        raise InputError(f"{printable(str(path))} cannot be read ({error.strerror}); check the path") from error
    except (yaml.YAMLError, *_CONSTRUCTOR_ERRORS) as error:
        message = f"{printable(str(path))} is no valid YAML{_position(error)}; correct it there"
        raise InputError(message) from error
    if too_many:
        raise InputError(f"{path} stands for more than {_MAX_VALUES} values by its aliases; write them out")
    if not isinstance(data, dict):
        raise InputError(f"{path} holds no `key: value` pairs; write the settings as such")
    return {str(key): value for key, value in data.items()}


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that after a crash at any moment the old or the new content is there, never a part.

    Raises:
        OSError: The disk is full or cannot be written; the old content is still there.
    """
    with replacing(path) as file:
        file.write(content)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text_of(path: Path) -> str:
    if path.exists() and not path.is_file():  # to open a FIFO would be to wait for it
        raise InputError(f"{path} is no file; name a YAML file")
    if path.stat().st_size > _MAX_BYTES:
        raise InputError(f"{path} has more than {_MAX_BYTES // 2**20} MiB; is it the right file?")
    return path.read_text(encoding="utf-8")


def _count(value: object, known: dict[int, int]) -> int:
    """Count the values that a YAML document stands for; every alias counts in full.

    Raises:
        RecursionError: It contains itself, or is nested too deeply.
        ValueError: An integer is absurdly long.
    """
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise ValueError("an integer is too long")
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        inner = [*value.values()] if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_count(item, known) for item in inner)
    return known[id(value)]


def _position(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
