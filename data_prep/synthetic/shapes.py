"""Outlines and how they come to stand on a picture.

An animal is a list of parts in its own coordinates: its body is one unit long, x points to its head, y
downwards, the origin is the middle of its body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, radians, sin

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]
#: Blue, green, red, each 0..255, as OpenCV orders them.
Colour = tuple[float, float, float]

_SUBPIXEL_BITS = 4  # OpenCV takes coordinates as integers of 1/16 pixel


@dataclass(frozen=True, slots=True)
class Part:
    """One filled outline.

    Attributes:
        outline:
            Corner points, shape ``(n, 2)``, in the animal's own coordinates.
        colour:
            Its filling.
        is_solid:
            Whether it counts towards the animal's box; markings lie on the body and need not.
    """

    outline: Floats
    colour: Colour
    is_solid: bool = True


def ellipse(x: float, y: float, rx: float, ry: float, degrees: float = 0.0) -> Floats:
    """Return the outline of an ellipse round ``(x, y)``, shape ``(20, 2)``."""
    angles = np.linspace(0, 2 * pi, 20, endpoint=False)
    centred = np.stack([rx * np.cos(angles), ry * np.sin(angles)], axis=1)
    moved: Floats = rotated(centred, degrees) + np.array((x, y))
    return moved


def polygon(*points: tuple[float, float]) -> Floats:
    """Return an outline with these corners, shape ``(n, 2)``."""
    return np.array(points, dtype=np.float64)


def rotated(points: Floats, degrees: float) -> Floats:
    """Turn points, shape ``(n, 2)``, about the origin, clockwise on a picture."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    turned: Floats = points @ np.array([[c, s], [-s, c]])
    return turned


def shaded(colour: Colour, factor: float) -> Colour:
    """Return the colour made darker (``factor`` < 1) or lighter."""
    blue, green, red = (min(255.0, channel * factor) for channel in colour)
    return blue, green, red


def fill(picture: Picture, points: Floats, colour: Colour) -> None:
    """Fill an outline, shape ``(n, 2)`` in pixels, with smooth edges."""
    cv2.fillPoly(picture, [_fixed(points)], colour, cv2.LINE_AA, _SUBPIXEL_BITS)


def mark(mask: Picture, outlines: Sequence[Floats], number: int) -> None:
    """Write ``number`` into a mask of shape ``(height, width)`` wherever one of the outlines lies."""
    for points in outlines:
        cv2.fillPoly(mask, [_fixed(points)], (number,), cv2.LINE_8, _SUBPIXEL_BITS)


def _fixed(points: Floats) -> npt.NDArray[np.int32]:
    fixed: npt.NDArray[np.int32] = np.rint(points * 2**_SUBPIXEL_BITS).astype(np.int32)
    return fixed
