"""Reads the rows of a box table: one draft per picture that the table names."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_prep.errors import InputError
from data_prep.findings import Finding, Kind
from data_prep.names import is_class_name, shown
from data_prep.readers.draft import Draft
from data_prep.readers.parsing import BadLabelError, Corners, finite_text
from data_prep.records import Source
from data_prep.store import RawStore

_CORNERS = ("XMin", "YMin", "XMax", "YMax")
_COLUMNS = ("ImageID", "LabelName", *_CORNERS)
_GROUP = "IsGroupOf"  # of Open Images: 1 yes, 0 no, -1 unknown
#: How far beyond its picture a normalised corner may lie, in pictures: a box that reaches out is for the checks to
#: judge, but pixels are no fractions.
_REACH = 1.0


def read_box_table(
    store: RawStore, path: Path, file: str, *, normalised: bool
) -> tuple[dict[str, Draft], list[Finding]]:
    """Read a table.

    Args:
        store:
            Reads its bytes.
        path:
            The table.
        file:
            The table as reports name it.
        normalised:
            Whether corners are fractions.

    Returns:
        A draft per ``ImageID``, and what belongs to none.

    Raises:
        InputError: It cannot be read, is no UTF-8 text, or lacks a column.
    """
    source = Source(path)
    try:
        text = store.read(source, limit=store.limits.annotation_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{source} is no UTF-8 text; save it as such") from error
    lines = io.StringIO(text, newline=None)  # every kind of line end
    table = _Table(_columns(source, lines.readline()), file, normalised)
    for number, line in enumerate(lines, start=2):
        if line.strip():
            table.add(line, f"line {number}")
    return table.drafts, table.findings


def _columns(source: Source, header: str) -> list[str]:
    try:
        columns = [column.strip() for column in _cells(header)]
    except BadLabelError as error:
        raise InputError(f"{source}, line 1: {error}; correct the column names") from error
    for column in (*_COLUMNS, _GROUP):
        count = columns.count(column)
        if count > 1 or (count == 0 and column != _GROUP):
            raise InputError(f"{source} has {count} columns `{column}` instead of one; correct its first line")
    return columns


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise BadLabelError(f"is no row of a table ({error})") from error


class _Table:
    """Collects drafts while the rows go by."""

    def __init__(self, columns: Sequence[str], file: str, normalised: bool) -> None:
        self.drafts: dict[str, Draft] = {}
        self.findings: list[Finding] = []
        self._columns = columns
        self._where = {column: columns.index(column) for column in (*_COLUMNS, _GROUP) if column in columns}
        self._file = file
        self._normalised = normalised

    def add(self, line: str, where: str) -> None:
        """Take a row; what is wrong with it goes to the picture that it names, where it names one."""
        try:
            cells = [cell.strip() for cell in _cells(line)]
        except BadLabelError as error:
            self._complain(f"{where}: {error}")
            return
        at = self._where["ImageID"]
        if at >= len(cells) or not cells[at]:
            self._complain(f"{where}: names no picture")
            return
        draft = self.drafts.setdefault(cells[at], Draft(self._file))
        with draft.reading(where):
            self._add(draft, cells, where)

    def _add(self, draft: Draft, cells: Sequence[str], where: str) -> None:
        if len(cells) != len(self._columns):
            raise BadLabelError(f"has {len(cells)} cells, the first line has {len(self._columns)}")
        row = {column: cells[index] for column, index in self._where.items()}
        name, group = row["LabelName"], row.get(_GROUP, "")
        if not is_class_name(name):
            raise BadLabelError(f"{shown(name)} is no class name")
        if group not in ("", "-1", "0", "1"):
            raise BadLabelError(f"`{_GROUP}` is {shown(group)} instead of 0 or 1")
        mark = (Kind.CROWD_BOX, f"`{_GROUP}` is 1") if group == "1" else None
        draft.add(name, self._corners(row), where, mark)

    def _corners(self, row: Mapping[str, str]) -> Corners:
        x1, y1, x2, y2 = (finite_text(row[column]) for column in _CORNERS)
        for corner in (x1, y1, x2, y2) if self._normalised else ():
            if not -_REACH <= corner <= 1 + _REACH:
                raise BadLabelError(f"{corner:g} is not normalised to 0..1")
        return x1, y1, x2, y2

    def _complain(self, detail: str) -> None:
        self.findings.append(Finding(Kind.UNREADABLE_LABEL, self._file, detail))
