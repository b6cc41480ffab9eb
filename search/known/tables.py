"""CSV files read strictly: what is damaged is named by its row and column, and never guessed at."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from pathlib import Path

from data_prep.errors import InputError
from data_prep.text import printable

_MAX_BYTES = 64 * 2**20


def read_csv(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns of a CSV file and its rows, every name and cell without the blanks around it.

    Raises:
        InputError: It cannot be read, is no CSV text in UTF-8, has a column twice, or a row of another length.
    """
    try:
        lines = list(csv.reader(io.StringIO(_text(path), newline=""), strict=True))
    except csv.Error as error:
        raise InputError(f"{shown(path)} is no CSV ({error}): correct it, or give another file.") from error
    names, *rows = [[cell.strip() for cell in line] for line in lines if line] or [[]]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if not any(names):
        raise InputError(f"{shown(path)} is empty: give another file.")
    if twice:
        raise InputError(f"{shown(path)} has two columns `{printable(twice[0])}`: remove one.")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise InputError(
                f"{shown(path)}: row {number} has {len(row)} cells under {len(names)} columns: correct or remove it."
            )
    return names, [dict(zip(names, row, strict=True)) for row in rows]


def number(path: Path, row: int, name: str, cell: str) -> float:
    """A cell as a number, NaN and infinite ones included.

    Raises:
        InputError: It is none.
    """
    try:
        return float(cell)
    except ValueError as error:
        raise InputError(
            f"{shown(path)}: row {row} has {printable(cell[:40])!r} under `{printable(name)}`, which is no number: "
            "correct or remove it."
        ) from error


def finite(path: Path, row: int, name: str, cell: str) -> float:
    """A cell as a finite number.

    Raises:
        InputError: It is none.
    """
    value = number(path, row, name, cell)
    if not math.isfinite(value):
        raise InputError(f"{shown(path)}: row {row} has {value} under `{name}`: correct or remove the row.")
    return value


def shown(path: Path) -> str:
    """A path for a message."""
    return printable(str(path))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{shown(path)} has more than {_MAX_BYTES // 2**20} MiB; is it the right file?")
        return path.read_bytes().decode("utf-8-sig")  # Excel puts a mark before the first name
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read ({error.strerror}); check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{shown(path)} is no text in UTF-8; is it the right file?") from error
