"""Readers of raw formats, found by the name under ``reader:`` in the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from data_prep.readers.aihub import AihubReader
from data_prep.readers.base import Reader
from data_prep.readers.box_csv import CsvReader
from data_prep.readers.coco import CocoReader
from data_prep.readers.images import ImagesReader
from data_prep.readers.voc import VocReader
from data_prep.readers.yolo import YoloReader

#: Every reader of labelled pictures; pydantic chooses by the ``reader`` key. A new one is added here.
AnyReader = Annotated[AihubReader | CocoReader | CsvReader | VocReader | YoloReader, Field(discriminator="reader")]

__all__ = [
    "AihubReader",
    "AnyReader",
    "CocoReader",
    "CsvReader",
    "ImagesReader",
    "Reader",
    "VocReader",
    "YoloReader",
]
