"""The rule by which predictions become labels."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from data_prep.errors import InputError

MOST = 300
"""Boxes that NMS leaves of a picture at most, as in ``yolov5 val``."""


@dataclass(frozen=True, kw_only=True)
class SilverRule:
    """Which predictions become labels.

    Attributes:
        confidence:
            A box is more confident than this, in [0, 1).
        iou:
            NMS drops a box that overlaps a more confident one of its class by more than this, in [0, 1].
        min_boxes:
            A picture with fewer boxes after that gets none: a gold picture stays as it is, a new one is left out.
        merge_iou:
            A box that overlaps a gold box of its class by this or more is taken for the same object, in (0, 1].

    Raises:
        InputError: A value is out of range.
    """

    confidence: float = 0.5
    iou: float = 0.6
    min_boxes: int = 1
    merge_iou: float = 0.3

    def __post_init__(self) -> None:
        for name, value in self.as_dict().items():
            complaint = refusal(name, value)
            if complaint is not None:
                raise InputError(f"{name} of the silver labels is {value}: {complaint}.")

    def as_dict(self) -> dict[str, Any]:
        """Key to value, as JSON can hold them."""
        return dataclasses.asdict(self)


def refusal(name: str, value: object) -> str | None:
    """Say what a value of a rule's field must be; None where it is that.

    Args:
        name:
            Field of :class:`SilverRule`.
        value:
            Whatever stands in its place.
    """
    if name == "min_boxes":
        return None if type(value) is int and 1 <= value <= MOST else f"give a whole number from 1 to {MOST}"
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if name == "confidence":
        return None if 0 <= number < 1 else "give a number in [0, 1)"
    if name == "merge_iou":
        return None if 0 < number <= 1 else "give a number above 0 and at most 1"
    return None if 0 <= number <= 1 else "give a number in [0, 1]"
