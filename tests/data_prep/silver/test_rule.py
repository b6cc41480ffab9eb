"""The rule of silver labels: what it accepts."""

from __future__ import annotations

import math

import pytest

from data_prep.errors import InputError
from data_prep.silver.rule import SilverRule


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("confidence", -0.1), ("confidence", 1.0), ("confidence", math.nan), ("confidence", "0.5"),
        ("confidence", True), ("iou", -0.1), ("iou", 1.1), ("iou", math.inf), ("min_boxes", 0), ("min_boxes", 1.5),
        ("min_boxes", True), ("merge_iou", 0.0), ("merge_iou", 1.1), ("merge_iou", None),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_named(field: str, value: object) -> None:
    with pytest.raises(InputError, match=f"{field} of the silver labels is .*: give a "):
        SilverRule(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values", [{"confidence": 0}, {"confidence": 0.999, "iou": 1}, {"iou": 0.0, "min_boxes": 300}, {"merge_iou": 1.0}]
)
def test_the_ends_of_the_ranges_are_rules(values: dict[str, float]) -> None:
    assert SilverRule(**values).as_dict() == {**SilverRule().as_dict(), **values}  # type: ignore[arg-type]
