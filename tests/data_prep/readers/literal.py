"""What damaged labels literally say, read a second time by plain library calls.

These readings forgive more than the readers do: whatever a reader returns must be among what they return.
Each gives ``(picture, class name, x1, y1, x2, y2)``.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree as ET

Row = tuple[str, str, float, float, float, float]


def _numbers(values: Any) -> list[float] | None:
    """Four finite numbers, else None."""
    if not isinstance(values, list) or len(values) != 4 or any(type(value) not in (int, float) for value in values):
        return None
    return [float(value) for value in values] if all(abs(value) <= 1e300 for value in values) else None


def coco(content: bytes) -> Iterator[Row]:
    parsed = json.loads(content)
    names = {repr(one["id"]): one["name"] for one in parsed["categories"]}
    entries = [one for one in parsed["images"] if isinstance(one, dict)]
    files = {repr(one.get("id")): one.get("file_name") for one in entries}
    for one in parsed["annotations"]:
        box = _numbers(one.get("bbox")) if isinstance(one, dict) else None
        if box is not None and isinstance(files.get(repr(one.get("image_id"))), str):
            name = names.get(repr(one.get("category_id")), "?")
            yield files[repr(one.get("image_id"))], name, box[0], box[1], box[0] + box[2], box[1] + box[3]


def aihub(content: bytes, picture: str, name: str) -> Iterator[Row]:
    try:
        parsed = json.loads(content)
    except UnicodeDecodeError:
        parsed = json.loads(content.decode("cp949"))
    for one in parsed["label_info"]["annotations"]:
        box = _numbers(one.get("bbox")) if isinstance(one, dict) else None
        if box is not None:
            yield picture, name, box[0], box[1], box[2], box[3]


def voc(content: bytes, picture: str) -> Iterator[Row]:
    for one in ET.fromstring(content).findall("object"):
        try:
            corners = [float(one.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")]
        except ValueError:
            continue
        yield picture, one.findtext("name", "").strip(), corners[0], corners[1], corners[2], corners[3]


def table(content: bytes) -> Iterator[Row]:
    header, *lines = content.decode("utf-8-sig").replace("\r", "\n").split("\n")
    columns = [column.strip() for column in header.split(",")]
    for line in lines:
        for cells in (line.split(","), *_cells(line)):
            row = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
            try:
                corners = [float(row[key]) for key in ("XMin", "YMin", "XMax", "YMax")]
            except (KeyError, ValueError):
                continue
            yield row["ImageID"], row["LabelName"], corners[0], corners[1], corners[2], corners[3]


def _cells(line: str) -> list[list[str]]:
    try:
        return [*csv.reader([line])]
    except csv.Error:  # a cell is too long
        return []


def yolo(content: bytes, picture: str, names: Sequence[str]) -> Iterator[Row]:
    for line in content.decode("utf-8-sig").splitlines():
        try:
            class_id, *values = (float(word) for word in line.split())
        except ValueError:
            continue
        if not all(map(math.isfinite, (class_id, *values))):
            continue
        name = names[int(class_id)] if 0 <= class_id < len(names) else "?"
        if len(values) == 4:
            x, y, w, h = values
            yield picture, name, x - w / 2, y - h / 2, x + w / 2, y + h / 2
        elif len(values) > 4:
            xs, ys = values[::2], values[1::2]
            yield picture, name, min(xs), min(ys), max(xs), max(ys)
