"""What the EDA counts, as tables: one row per picture, per box, per finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_prep.findings import Finding
from data_prep.labels import Stratification, ratio_name, size_name
from data_prep.records import ImageRecord
from data_prep.reports import FINDING_COLUMNS, finding_row
from data_prep.text import printable

#: What the column of a class's box count begins with in the table of pictures.
BOXES_OF = "boxes of "


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one data set.

    Attributes:
        names:
            Class names; the column ``class_id`` of ``boxes`` indexes them.
        images:
            One row per picture: ``key``, ``file_name``, ``width``, ``height``, ``boxes``, ``background``, ``splits``
            (names, comma between), and a column ``boxes of NAME`` per class.
        boxes:
            One row per box: ``image`` (row of ``images``), ``key``, ``class_id``, ``class``, ``x1``, ``y1``, ``x2``,
            ``y2``, ``width``, ``height``, ``area`` (pixels), ``ratio`` (width by width + height), ``ratio_class``,
            ``size_class``, ``centre_x``, ``centre_y`` (shares of the picture).
        findings:
            One row per finding, columns as in ``findings.csv``.
    """

    names: tuple[str, ...]
    images: pd.DataFrame
    boxes: pd.DataFrame
    findings: pd.DataFrame


def build_tables(
    records: Sequence[ImageRecord],
    names: Sequence[str],
    findings: Iterable[Finding],
    splits: Mapping[str, Sequence[ImageRecord]],
    stratification: Stratification,
) -> Tables:
    """Build the tables.

    Args:
        records:
            The pictures, boxes in pixels.
        names:
            Class names; class ids index them.
        findings:
            What was found wrong.
        splits:
            Pictures of ``records`` per split; they may overlap.
        stratification:
            Thresholds of the ratio and size classes.
    """
    boxes = _box_table(records, names, stratification)
    return Tables(tuple(names), _image_table(records, names, boxes, splits), boxes, _finding_table(findings))


def _box_table(records: Sequence[ImageRecord], names: Sequence[str], stratification: Stratification) -> pd.DataFrame:
    rows = [(index, box) for index, record in enumerate(records) for box in record.boxes]
    image = np.array([index for index, _ in rows], dtype=np.int64)
    corners = np.array([(box.x1, box.y1, box.x2, box.y2) for _, box in rows], dtype=np.float64).reshape(-1, 4)
    sizes = np.array([(max(record.width, 1), max(record.height, 1)) for record in records], dtype=np.float64)
    sizes = sizes.reshape(-1, 2)[image]
    x1, y1, x2, y2 = corners.T
    width, height = x2 - x1, y2 - y1
    extent = width + height
    class_id = np.array([box.class_id for _, box in rows], dtype=np.int64)
    threshold, thresholds = stratification.ratio_threshold, stratification.size_thresholds
    return pd.DataFrame(
        {
            "image": image,
            "key": [records[index].key for index, _ in rows],
            "class_id": class_id,
            "class": [names[box.class_id] for _, box in rows],
            "x1": x1,
            "y1": y1,
            "x2": x2,
            "y2": y2,
            "width": width,
            "height": height,
            "area": width * height,
            "ratio": np.divide(width, extent, out=np.full(len(rows), 0.5), where=extent > 0),
            "ratio_class": [ratio_name(box, threshold) for _, box in rows],
            "size_class": [size_name(box, thresholds) for _, box in rows],
            "centre_x": (x1 + x2) / 2 / sizes[:, 0],
            "centre_y": (y1 + y2) / 2 / sizes[:, 1],
        }
    )


def _image_table(
    records: Sequence[ImageRecord],
    names: Sequence[str],
    boxes: pd.DataFrame,
    splits: Mapping[str, Sequence[ImageRecord]],
) -> pd.DataFrame:
    counts = np.zeros((len(records), len(names)), dtype=np.int64)
    np.add.at(counts, (boxes["image"].to_numpy(), boxes["class_id"].to_numpy()), 1)
    # By the record and not its key: a test picture may bear the key of another one.
    places: dict[ImageRecord, list[str]] = {}
    for split, members in splits.items():
        for record in members:
            places.setdefault(record, []).append(str(split))
    table = pd.DataFrame(
        {
            "key": [record.key for record in records],
            "file_name": [record.file_name for record in records],
            "width": np.array([record.width for record in records], dtype=np.int64),
            "height": np.array([record.height for record in records], dtype=np.int64),
            "boxes": counts.sum(1),
            "background": counts.sum(1) == 0,
            "splits": [",".join(places.get(record, ())) for record in records],
        }
    )
    columns = [BOXES_OF + name for name in names]
    return pd.concat([table, pd.DataFrame(counts, columns=columns, index=table.index)], axis=1)


def _finding_table(findings: Iterable[Finding]) -> pd.DataFrame:
    rows = sorted(tuple(printable(cell) for cell in finding_row(finding)) for finding in findings)
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS), dtype=object)
