"""A small data set with pictures, and what every test of the EDA starts from."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from data_prep.findings import Finding, Kind, Policy
from data_prep.labels import Stratification
from data_prep.records import Box, ImageRecord, Source

NAMES = ("pig", "cow")
STRATIFICATION = Stratification(count_bins={"pig": (2, 4), "cow": (2, 3)})


def square(class_id: int, side: float, left: float = 0, top: float = 0) -> Box:
    return Box(class_id, left, top, left + side, top + side)


def record(key: str, *boxes: Box, width: int = 400, height: int = 300, pictured: bool = True) -> ImageRecord:
    return ImageRecord(key, Source(Path(f"/raw/{key}.jpg")) if pictured else None, width, height, boxes)


def jpeg(width: int = 400, height: int = 300, colour: str = "white") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(content, "JPEG")
    return content.getvalue()


@pytest.fixture
def records() -> list[ImageRecord]:
    """Counted by hand: 3 pigs and 4 cows in 5 pictures, one without boxes."""
    return [
        record("e", width=200, height=200),
        record("a", square(0, 20), square(0, 200, 100, 50)),  # 400 and 40000 px²
        record("b", square(0, 30), Box(1, 0, 0, 300, 100)),  # 900; 30000 horizontal
        record("c", Box(1, 10, 10, 20, 90), square(1, 250), square(1, 60)),  # 800 vertical; 62500; 3600
        record("d", width=400, height=300, pictured=False),
    ]


@pytest.fixture
def findings() -> list[Finding]:
    return [
        Finding(Kind.BOX_OUTSIDE, "a.txt", "box 0 reaches out", "a", Policy.CLIP),
        Finding(Kind.BOX_OUTSIDE, "b.txt", "box 1 reaches out", "b", Policy.CLIP),
        Finding(Kind.SIZE_DISAGREEMENT, "b.txt", "says 1x1", "b", Policy.KEEP),
        Finding(Kind.IGNORED_FIELD, "c.txt", "category_id", "c"),
    ]


@pytest.fixture
def read() -> Callable[[Source], bytes]:
    return lambda source: jpeg()
