"""Raw predictions of a few images, drawn."""

from __future__ import annotations

import pytest

from tests.trainable.raw_images import draw_images, write_raw
from trainable.raw_file import RawFile

NAMES = ("cow", "pig", "hen")


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> RawFile:
    """30 images of two of three classes."""
    return write_raw(tmp_path_factory.mktemp("raw") / "raw.parquet", draw_images(30, classes=2, seed=3, rows=40))
