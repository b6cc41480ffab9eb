"""Reads tables of answers and predictions in the CSV form of ``map-boxes``; a wrong cell is named by its line."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_prep.errors import InputError
from data_prep.names import shown
from data_prep.text import printable

IMAGE, LABEL, CONFIDENCE = "ImageID", "LabelName", "Conf"
CORNERS = ("XMin", "XMax", "YMin", "YMax")
NO_CLASS = ("", "nan")
"""Names, in small letters, that stand for no class: such a row says that its image has no box."""

_LARGEST = np.finfo(np.float32).max
_FAR = 2.0  # a normalised box may reach out of its image, but hardly by a whole image


def read_answers(path: Path) -> pd.DataFrame:
    """Read ``ImageID,LabelName,XMin,XMax,YMin,YMax``, in any order, among others.

    Names are taken as they are written. A row without ``LabelName`` names an image without a box.

    Returns:
        The two names as categories, corners as float32 (NaN where there is no class), in the file's order.

    Raises:
        InputError: The file cannot be read, lacks a column, or a cell is no finite number.
    """
    return _read(path, (IMAGE, LABEL, *CORNERS))


def read_predictions(path: Path) -> pd.DataFrame:
    """Read ``ImageID,LabelName,Conf,XMin,XMax,YMin,YMax``: :func:`read_answers`, and the confidence as float32."""
    return _read(path, (IMAGE, LABEL, CONFIDENCE, *CORNERS))


def has_class(table: pd.DataFrame) -> pd.Series[bool]:
    """Which rows are boxes."""
    labels = table[LABEL].astype("category")
    known = [name for name in labels.cat.categories if name.lower() not in NO_CLASS]
    return labels.isin(known)


def check_units(answers: pd.DataFrame, predictions: pd.DataFrame, files: tuple[Path, Path]) -> None:
    """Refuse boxes that could never meet because one file is normalised and the other is in pixels.

    Raises:
        InputError: Names which is which.
    """
    tables = (answers, predictions)
    for table, file, other, other_file in zip(tables, files, tables[::-1], files[::-1], strict=True):
        if _looks_normalised(table) and _looks_like_pixels(other):
            raise InputError(
                f"{file} looks normalised (0 to 1) and {other_file} is in pixels (up to {_largest(other).max():g}), so "
                f"their boxes could never meet; divide those of {other_file} by width and height of their images"
            )


def _looks_normalised(table: pd.DataFrame) -> bool:
    corners = table.loc[has_class(table), list(CORNERS)].to_numpy()
    # Whole numbers alone may be pixels of tiny boxes.
    return bool((np.abs(corners) <= _FAR).all() and ((corners > 0) & (corners < 1)).any())


def _looks_like_pixels(table: pd.DataFrame) -> bool:
    largest = _largest(table)
    return len(largest) > 0 and bool(np.median(largest) > _FAR)


def _largest(table: pd.DataFrame) -> npt.NDArray[np.float32]:
    return np.asarray(table.loc[has_class(table), ["XMax", "YMax"]].max(axis=1), dtype=np.float32)


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    _check_columns(path, columns)
    numbers = columns[2:]
    try:
        table = pd.read_csv(
            path,
            usecols=list(columns),  # also keeps a comma at the end of every line from moving all columns by one
            dtype=dict.fromkeys((IMAGE, LABEL), "category"),
            keep_default_na=False,  # a class may be called `NA`
            na_values={column: [""] for column in numbers},
            compression=None,  # not by the suffix: it is text
            low_memory=False,  # else a column of mixed cells makes a warning
        )
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no CSV table in UTF-8; save it as such") from error
    except (OSError, pd.errors.ParserError) as error:
        raise InputError(f"{path} cannot be read as a CSV table ({printable(str(error))}); correct it") from error
    boxes, wrong = has_class(table), pd.DataFrame({IMAGE: table[IMAGE].isna() | (table[IMAGE] == "")})
    for column in numbers:
        values = pd.to_numeric(table[column], errors="coerce")
        is_number = (values.abs() <= _LARGEST) & (table[column].dtype != bool)  # of `True` and `False` alone
        table[column], wrong[column] = values.where(is_number).astype(np.float32), boxes & ~is_number
    if wrong.to_numpy().any():
        raise InputError(_wrong_cell(path, wrong))
    return table


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    if path.exists() and not path.is_file():  # to open a FIFO would be to wait for it
        raise InputError(f"{path} is no file; name a CSV table")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = next(csv.reader(file), [])
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV table in UTF-8; save it as such") from error
    for column in columns:
        if found.count(column) != 1:
            count = "more than one column" if column in found else "no column"
            raise InputError(f"{path} has {count} `{column}`; its first line must name {','.join(columns)}")


def _wrong_cell(path: Path, wrong: pd.DataFrame) -> str:
    """Say what is wrong with the first of some cells; its line is looked up, because pandas does not tell it."""
    row = int(np.flatnonzero(wrong.any(axis=1))[0])
    column = str(wrong.columns[np.flatnonzero(wrong.iloc[row])[0]])
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        index = next(lines).index(column)
        rows = (cells for cells in lines if len(cells) > 1 or "".join(cells).strip())  # pandas skips blank lines
        cells = next(islice(rows, row, None), [])
    cell = shown(cells[index]) if index < len(cells) else "missing"
    wanted = "the name of an image" if column == IMAGE else "a finite number"
    return f"{path}, line {lines.line_num}: `{column}` is {cell} instead of {wanted}; correct it there"
