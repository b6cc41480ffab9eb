"""Writes a prepared data set: YOLO folders, lists, ``data.yaml``, tar archives; whole or not at all."""

from __future__ import annotations

from data_prep.export.archives import write_archives
from data_prep.export.labels import label_text, yolo_row
from data_prep.export.lists import DATA_YAML, data_yamls, write_data_yamls, write_lists
from data_prep.export.pictures import Hashes, LabelOf, LinkMode, write_pictures
from data_prep.export.workplace import Workplace, workplace

__all__ = [
    "DATA_YAML", "Hashes", "LabelOf", "LinkMode", "Workplace", "data_yamls", "label_text", "workplace",
    "write_archives", "write_data_yamls", "write_lists", "write_pictures", "yolo_row",
]  # fmt: skip
