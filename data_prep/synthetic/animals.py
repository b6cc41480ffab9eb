"""Pigs and cows as lists of parts: alike in colour at times, different in build."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_prep.synthetic.shapes import Colour, Part, ellipse, polygon, shaded

#: Coats as blue, green, red, with how often each occurs; brown, black and pale ones occur in both species.
_PIG_COATS: tuple[tuple[Colour, float], ...] = (
    ((160, 170, 235), 0.84),
    ((60, 85, 130), 0.08),
    ((58, 55, 62), 0.08),
)
_COW_COATS: tuple[tuple[Colour, float], ...] = (
    ((55, 100, 170), 0.34),
    ((45, 72, 115), 0.12),
    ((228, 230, 233), 0.3),
    ((44, 42, 46), 0.18),
    ((165, 198, 226), 0.06),
)
_DARK: Colour = (40, 38, 42)


def draw_parts(species: str, from_above: bool, rng: np.random.Generator) -> list[Part]:
    """Return the parts of one animal, back to front, body one unit long, head towards +x.

    Args:
        species:
            ``pig`` or ``cow``.
        from_above:
            Seen from above instead of from the side.
        rng:
            Draws coat, build and pose.
    """
    if species == "pig":
        coat = _varied(_choose(_PIG_COATS, rng), rng)
        return _pig_from_above(coat, rng) if from_above else _pig_from_side(coat, rng)
    coat = _varied(_choose(_COW_COATS, rng), rng)
    return _cow_from_above(coat, rng) if from_above else _cow_from_side(coat, rng)


def _choose(coats: Sequence[tuple[Colour, float]], rng: np.random.Generator) -> Colour:
    return coats[int(rng.choice(len(coats), p=[share for _, share in coats]))][0]


def _varied(coat: Colour, rng: np.random.Generator) -> Colour:
    blue, green, red = np.clip(np.array(coat) * rng.uniform(0.82, 1.1) + rng.normal(0, 6, 3), 0, 255)
    return float(blue), float(green), float(red)


def _pig_from_side(coat: Colour, rng: np.random.Generator) -> list[Part]:
    height = rng.uniform(0.21, 0.27)  # half the body's; a pig is a barrel on short legs
    far, light = shaded(coat, 0.68), shaded(coat, 1.08)
    nod = rng.uniform(-0.06, 0.14)
    legs = [*_legs(far, (-0.27, 0.3), height, 0.15, 0.05, rng), *_legs(coat, (-0.36, 0.22), height, 0.17, 0.055, rng)]
    body = [
        Part(ellipse(0, 0, 0.5, height), coat),
        Part(ellipse(0, -height * 0.35, 0.42, height * 0.5), light, is_solid=False),
        Part(ellipse(0, height * 0.6, 0.4, height * 0.35), shaded(coat, 0.82), is_solid=False),
    ]
    head = [
        Part(ellipse(0.5, -0.02 + nod, 0.17, 0.155), coat),
        Part(ellipse(0.65, 0.03 + nod, 0.075, 0.07), shaded(coat, 0.85)),
        Part(polygon((0.4, -0.12 + nod), (0.5, -0.23 + nod), (0.56, -0.08 + nod)), shaded(coat, 0.75)),
        Part(ellipse(0.55, -0.03 + nod, 0.018, 0.018), _DARK, is_solid=False),
    ]
    tail = Part(ellipse(-0.52, -0.1, 0.045, 0.035), shaded(coat, 0.75))
    return [tail, *legs, *body, *_spots(coat, 0.2, height, rng), *head]


def _cow_from_side(coat: Colour, rng: np.random.Generator) -> list[Part]:
    height = rng.uniform(0.18, 0.23)
    far = shaded(coat, 0.65)
    top, low = -height, height
    legs = [*_legs(far, (-0.3, 0.34), height, 0.36, 0.05, rng), *_legs(coat, (-0.41, 0.27), height, 0.4, 0.055, rng)]
    trunk = polygon(
        (-0.5, top * 0.75), (-0.4, top), (0.3, top * 1.05), (0.47, top * 0.7), (0.5, low * 0.4), (0.38, low),
        (-0.3, low * 1.08), (-0.48, low * 0.7),
    )  # fmt: skip
    tail = Part(polygon((-0.47, top * 0.8), (-0.52, top * 0.7), (-0.58, low * 1.3), (-0.54, low * 1.3)), far)
    belly = Part(ellipse(-0.02, low * 0.75, 0.36, height * 0.3), shaded(coat, 0.8), is_solid=False)
    return [tail, *legs, Part(trunk, coat), belly, *_patches(coat, height, rng), *_cow_head(coat, rng)]


def _cow_head(coat: Colour, rng: np.random.Generator) -> list[Part]:
    """Return neck, head, muzzle, ear and horn; the head is up, level or grazing."""
    x, y, tilt = ((0.66, -0.28, 25.0), (0.7, -0.08, 35.0), (0.64, 0.38, 65.0))[int(rng.integers(3))]
    muzzle = (x + 0.11 * np.cos(np.radians(tilt)), y + 0.11 * np.sin(np.radians(tilt)))
    return [
        Part(polygon((0.32, -0.2), (x - 0.02, y - 0.07), (x, y + 0.08), (0.42, 0.12)), shaded(coat, 0.93)),
        Part(ellipse(x, y, 0.16, 0.085, tilt), coat),
        Part(ellipse(*muzzle, 0.06, 0.06, tilt), shaded(coat, 0.6)),
        Part(polygon((x - 0.1, y - 0.05), (x - 0.2, y - 0.1), (x - 0.1, y + 0.02)), shaded(coat, 0.75)),
        Part(polygon((x - 0.08, y - 0.08), (x - 0.04, y - 0.2), (x - 0.02, y - 0.08)), (190, 205, 210)),
        Part(ellipse(x + 0.01, y - 0.02, 0.016, 0.016), _DARK, is_solid=False),
    ]


def _pig_from_above(coat: Colour, rng: np.random.Generator) -> list[Part]:
    width = rng.uniform(0.19, 0.24)
    return [
        Part(ellipse(-0.53, 0, 0.05, 0.02), shaded(coat, 0.75)),
        Part(ellipse(0, 0, 0.5, width), coat),
        Part(ellipse(-0.02, 0, 0.42, width * 0.45), shaded(coat, 1.1), is_solid=False),
        *_spots(coat, 0.2, width, rng),
        Part(ellipse(0.52, 0, 0.17, 0.13), coat),
        Part(polygon((0.42, -0.08), (0.52, -0.21), (0.56, -0.07)), shaded(coat, 0.72)),
        Part(polygon((0.42, 0.08), (0.52, 0.21), (0.56, 0.07)), shaded(coat, 0.72)),
        Part(ellipse(0.68, 0, 0.05, 0.06), shaded(coat, 0.82)),
    ]


def _cow_from_above(coat: Colour, rng: np.random.Generator) -> list[Part]:
    width = rng.uniform(0.15, 0.19)
    trunk = polygon(
        (-0.5, -width * 0.6), (-0.38, -width), (0.1, -width * 1.05), (0.42, -width * 0.7), (0.48, 0),
        (0.42, width * 0.7), (0.1, width * 1.05), (-0.38, width), (-0.5, width * 0.6),
    )  # fmt: skip
    turn = rng.uniform(-0.12, 0.12)
    return [
        Part(polygon((-0.48, -0.02), (-0.66, -0.04), (-0.66, 0.0), (-0.48, 0.03)), shaded(coat, 0.6)),
        Part(trunk, coat),
        Part(ellipse(-0.05, 0, 0.4, width * 0.3), shaded(coat, 1.12), is_solid=False),
        *_patches(coat, width, rng),
        Part(ellipse(0.52, turn / 2, 0.12, 0.09), shaded(coat, 0.9)),
        Part(ellipse(0.7, turn, 0.15, 0.075), coat),
        Part(polygon((0.62, turn - 0.06), (0.58, turn - 0.19), (0.68, turn - 0.06)), (190, 205, 210)),
        Part(polygon((0.62, turn + 0.06), (0.58, turn + 0.19), (0.68, turn + 0.06)), (190, 205, 210)),
        Part(ellipse(0.83, turn, 0.05, 0.06), shaded(coat, 0.6)),
    ]


def _legs(
    coat: Colour, feet: tuple[float, float], top: float, length: float, width: float, rng: np.random.Generator
) -> list[Part]:
    """Return two legs that start inside the body at the ``feet`` x-positions and swing as in a walk."""
    parts = []
    for x in feet:
        swing = rng.uniform(-0.07, 0.07)
        low = top + length
        leg = polygon((x, top * 0.5), (x + width * 1.5, top * 0.5), (x + swing + width, low), (x + swing, low))
        parts.append(Part(leg, coat))
    return parts


def _spots(coat: Colour, share: float, height: float, rng: np.random.Generator) -> list[Part]:
    """Return dirt and dark spots for a ``share`` of the pigs."""
    if rng.random() > share:
        return []
    return [_blot(shaded(coat, 0.45), 0.32, height * 0.45, 0.07, rng) for _ in range(int(rng.integers(2, 6)))]


def _patches(coat: Colour, height: float, rng: np.random.Generator) -> list[Part]:
    """Return the patches of a Holstein on white and black coats; other coats are plain."""
    if 80 < max(coat) < 190 or rng.random() < 0.1:
        return []
    colour: Colour = (228.0, 230.0, 232.0) if max(coat) <= 80 else _DARK
    return [_blot(colour, 0.36, height * 0.4, 0.11, rng) for _ in range(int(rng.integers(2, 6)))]


def _blot(colour: Colour, x: float, y: float, radius: float, rng: np.random.Generator) -> Part:
    rx, ry = radius * rng.uniform(0.5, 1.3), radius * rng.uniform(0.4, 0.9)
    where = ellipse(rng.uniform(-x, x), rng.uniform(-y, y), rx, ry, rng.uniform(0, 180))
    return Part(where, colour, is_solid=False)
