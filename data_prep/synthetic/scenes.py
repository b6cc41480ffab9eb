"""One picture: a ground, a herd of one species on it, and the boxes of what can be seen of them."""

from __future__ import annotations

import numpy as np

from data_prep.synthetic.animals import draw_parts
from data_prep.synthetic.grounds import draw_front, draw_ground, expose
from data_prep.synthetic.shapes import Floats, Part, Picture, ellipse, fill, mark, rotated

#: Corners in pixels: left, top, right, bottom.
Corners = tuple[float, float, float, float]

#: An animal of which less than this share can be seen is not labelled, as a person would not see it.
_MIN_VISIBLE = 0.25
#: Mean number of animals, their largest number, and the range of body lengths as shares of the longer side.
_HERDS = {"pig": (6.0, 15, (0.2, 0.4)), "cow": (4.2, 10, (0.22, 0.5))}
_SHARE_OUTDOORS = {"pig": 0.25, "cow": 0.7}
_SHARE_FROM_ABOVE = {"pig": 0.2, "cow": 0.12}


def draw_scene(
    species: str, width: int, height: int, is_empty: bool, rng: np.random.Generator
) -> tuple[Picture, list[Corners]]:
    """Draw one picture.

    Args:
        species:
            ``pig`` or ``cow``; pictures of the AI Hub data hold one species only.
        width:
            In pixels.
        height:
            In pixels.
        is_empty:
            Leave the animals out.
        rng:
            Draws everything else.

    Returns:
        The picture, shape ``(height, width, 3)``, blue-green-red, and the corners of each animal's visible
        part.
    """
    outdoors = bool(rng.random() < _SHARE_OUTDOORS[species])
    from_above = bool(rng.random() < _SHARE_FROM_ABOVE[species])
    picture = draw_ground(width, height, outdoors, from_above, rng)
    places = [] if is_empty else _places(species, width, height, rng)
    animals = [_pose(species, from_above, *place, rng) for place in places]
    mask = np.zeros((height, width), dtype=np.uint8)
    for number, parts in enumerate(animals, start=1):
        _draw_animal(picture, mask, parts, number)
    draw_front(picture, outdoors, rng)
    found = [_visible(mask, parts, number) for number, parts in enumerate(animals, start=1)]
    return expose(picture, rng), [corners for corners in found if corners is not None]


def _places(species: str, width: int, height: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Return ``(x, y, body length)`` of each animal in pixels, the far ones first; the nearer, the larger."""
    mean, most, (small, large) = _HERDS[species]
    wanted = int(np.clip(rng.geometric(1 / mean), 1, most))
    crowding = min(1.0, (5 / wanted) ** 0.3)  # large herds are seen from farther away
    taken: list[tuple[float, float, float]] = []
    for _ in range(wanted * 6):
        x, y = rng.uniform(0.04, 0.96) * width, rng.uniform(0.15, 0.95) * height
        depth = 0.6 + 0.4 * y / height
        length = np.exp(rng.uniform(np.log(small), np.log(large))) * max(width, height) * depth * crowding
        # Overlaps are wanted, stacks are not.
        if all(np.hypot(x - a, 1.6 * (y - b)) > 0.36 * (length + size) for a, b, size in taken):
            taken.append((x, y, length))
        if len(taken) == wanted:
            break
    return sorted(taken, key=lambda place: place[1])


def _pose(species: str, from_above: bool, x: float, y: float, length: float, rng: np.random.Generator) -> list[Part]:
    """Turn an animal and put it at ``(x, y)`` with a body of ``length`` pixels."""
    degrees = rng.uniform(0, 360) if from_above else rng.normal(0, 6)
    # From the side it may face the camera half: then it looks shorter, not lower.
    stretch = (rng.choice([-1.0, 1.0]) * (1 if from_above else rng.uniform(0.55, 1)), 1.0)
    return [
        Part(rotated(part.outline * stretch, degrees) * length + np.array((x, y)), part.colour, part.is_solid)
        for part in draw_parts(species, from_above, rng)
    ]


def _draw_animal(picture: Picture, mask: Picture, parts: list[Part], number: int) -> None:
    body = np.concatenate(_solid(parts))
    left, bottom, right = body[:, 0].min(), body[:, 1].max(), body[:, 0].max()
    shadow = picture.copy()
    fill(shadow, ellipse((left + right) / 2, bottom - 1, (right - left) * 0.48, (right - left) * 0.1), (35, 40, 38))
    picture[:] = (picture * 0.6 + shadow * 0.4).astype(np.uint8)
    for part in parts:
        fill(picture, part.outline, part.colour)
    mark(mask, _solid(parts), number)


def _solid(parts: list[Part]) -> list[Floats]:
    return [part.outline for part in parts if part.is_solid]


def _visible(mask: Picture, parts: list[Part], number: int) -> Corners | None:
    """Return the corners of what the mask still shows of an animal; None where that is too little."""
    alone = np.zeros_like(mask)
    mark(alone, _solid(parts), 1)
    body = np.concatenate(_solid(parts))
    # What lies beyond the picture's edge counts as hidden, too.
    inside = _area_of_box(body, mask.shape[1], mask.shape[0])
    ys, xs = np.nonzero(mask == number)
    if len(xs) < max(_MIN_VISIBLE * int(alone.sum()), 12) or inside < _MIN_VISIBLE:
        return None
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)


def _area_of_box(points: Floats, width: int, height: int) -> float:
    """Return the share of the points' bounding box that lies inside the picture."""
    low, high = points.min(axis=0), points.max(axis=0)
    sides = np.clip(np.minimum(high, (width, height)) - np.maximum(low, 0), 0, None)
    return float(np.prod(sides) / np.prod(high - low))
