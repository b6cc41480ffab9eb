from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.records import MAX_KEY_BYTES, ImageRecord, Source, safe_key


@given(st.text())
def test_safe_key_is_one_visible_file_name(stem: str) -> None:
    key = safe_key(stem)
    assert re.fullmatch(r"[\w.+-]+", key)
    assert not key.startswith((".", "-", "+"))
    assert safe_key(key) == key


@pytest.mark.parametrize(
    ("source", "stem", "is_image"),
    [
        (Source(Path("a/b.JPG")), "b", True),
        (Source(Path("pigs.zip"), "pen/돼지.png"), "돼지", True),
        (Source(Path("pigs.zip"), "돼지.png"), "돼지", True),  # NFD
        (Source(Path("pigs.zip"), "._b.jpg"), "._b", False),
        (Source(Path("b.txt")), "b", False),
    ],
)
def test_source_knows_its_name(source: Source, stem: str, is_image: bool) -> None:
    assert (source.stem, source.is_image) == (stem, is_image)


def test_file_name_keeps_the_kind_of_picture() -> None:
    assert ImageRecord("b", Source(Path("x.zip"), "a/B.JPG"), 1, 1).file_name == "b.jpg"


@pytest.mark.parametrize("stem", ["a" * 300, "돼지" * 100])
def test_key_is_short_enough_for_a_file_name(stem: str) -> None:
    key = safe_key(stem)
    assert 190 < len(key.encode()) <= MAX_KEY_BYTES
    assert stem.startswith(key)
