"""Readers of raw formats, found by the name under ``reader:`` in the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from data_prep.readers.aihub import AihubReader
from data_prep.readers.base import Reader, Unlabelled
from data_prep.readers.yolo import YoloReader

#: Every reader; pydantic chooses by the ``reader`` key. A new one is added here.
AnyReader = Annotated[AihubReader | YoloReader, Field(discriminator="reader")]

__all__ = ["AihubReader", "AnyReader", "Reader", "Unlabelled", "YoloReader"]
