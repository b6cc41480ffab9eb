from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.readers.base import unique_keys
from data_prep.records import Source


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["a.jpg", "b.jpg"], ["a", "b"]),
        (["x/a.jpg", "y/a.jpg", "b.jpg"], ["x_a", "y_a", "b"]),
        (["x/a.jpg", "x/A.png"], ["x_a_1", "x_A"]),
        (["a b.jpg", "a_b.jpg"], ["a_b", "a_b_1"]),
        (["x/a.jpg", "y/a.jpg", "x_a.jpg"], ["x_a", "y_a", "x_a_1"]),
        (["same.jpg", "same.jpg"], ["same", "same_1"]),
        (["../../etc/a.jpg", "../a.jpg"], ["etc_a", "a"]),
    ],
)
def test_keys_are_stems_and_tell_pictures_apart(names: list[str], keys: list[str]) -> None:
    found = unique_keys([Source(Path(name)) for name in names], names)
    assert len({key.casefold() for key in found}) == len(names)
    assert found == keys


def test_keys_do_not_depend_on_the_order() -> None:
    names = ["x/a.jpg", "y/a.jpg", "x_a.jpg", "b.jpg", "a b.jpg", "a_b.jpg"]
    forward = dict(zip(names, unique_keys([Source(Path(name)) for name in names], names), strict=True))
    names.reverse()
    assert dict(zip(names, unique_keys([Source(Path(name)) for name in names], names), strict=True)) == forward
