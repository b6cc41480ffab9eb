"""COCO's sizes of objects, by the area of their box in pixels of the picture itself."""

from __future__ import annotations

from typing import NamedTuple

from trainable.error_analysis.pictures import Bools, Floats, area


class Size(NamedTuple):
    """A range of areas in px²; both ends belong to it, as in ``pycocotools`` (``Params.areaRng``).

    Attributes:
        name:
            As COCO calls it.
        least, most:
            Its ends.
    """

    name: str
    least: float
    most: float

    def outside(self, boxes: Floats) -> Bools:
        """Which of some boxes (n, 4), xyxy in pixels, are of another size."""
        areas = area(boxes)
        other: Bools = (areas < self.least) | (areas > self.most)
        return other


ALL = Size("all", 0, float("inf"))
SIZES = (Size("small", 0, 32**2), Size("medium", 32**2, 96**2), Size("large", 96**2, float("inf")))
