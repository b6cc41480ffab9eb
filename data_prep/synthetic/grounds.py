"""What lies behind and before the animals: pasture or pen, clutter, light and noise."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from data_prep.synthetic.shapes import Colour, Floats, Picture, ellipse, fill, polygon, shaded

#: Blue, green, red of what the ground may be.
_PASTURES: tuple[Colour, ...] = ((58, 125, 98), (70, 140, 125), (62, 105, 112))
_FLOORS: tuple[Colour, ...] = ((118, 128, 136), (90, 112, 132), (140, 146, 150))


def draw_ground(width: int, height: int, outdoors: bool, from_above: bool, rng: np.random.Generator) -> Picture:
    """Return an empty pasture or pen, shape ``(height, width, 3)``, with clutter; from above it has no horizon."""
    palette = _PASTURES if outdoors else _FLOORS
    colour = np.array(palette[int(rng.integers(len(palette)))])
    shade = _blotches(width, height, 24, rng) * 14 + _blotches(width, height, 5, rng) * 8
    slope = np.linspace(rng.uniform(-22, 10), rng.uniform(-10, 22), height)[:, None]
    ground: Floats = colour + (shade + slope)[..., None]
    picture = np.clip(ground, 0, 255).astype(np.uint8)
    if not from_above:
        (_draw_horizon if outdoors else _draw_wall)(picture, rng)
    (_draw_pasture if outdoors else _draw_pen)(picture, rng)
    _draw_clutter(picture, rng)
    return picture


def draw_front(picture: Picture, outdoors: bool, rng: np.random.Generator) -> None:
    """Draw what hides parts of the animals at times: grass outdoors, thin bars of the pen indoors."""
    height, width = picture.shape[:2]
    if outdoors:
        for _ in range(int(rng.integers(0, 4))):
            _draw_grass(picture, rng.uniform(0, width), rng.uniform(0.5, 1) * height, rng)
    elif rng.random() < 0.35:
        for x in (np.arange(rng.uniform(0, 0.3), 1, rng.uniform(0.2, 0.4)) * width).tolist():
            _draw_line(picture, (x, 0), (x + rng.normal(0, 2), height), (120, 124, 126), 2)


def expose(picture: Picture, rng: np.random.Generator) -> Picture:
    """Return the picture as a camera gives it: uneven light, a colour cast, blur at times, noise."""
    height, width = picture.shape[:2]
    light = np.linspace(rng.uniform(0.78, 1.12), rng.uniform(0.78, 1.12), width)[None, :, None]
    cast = rng.normal(1, 0.035, 3)
    seen = picture * light * cast
    if rng.random() < 0.35:
        seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.4, 0.9)).astype(np.float64)
    noise = rng.normal(0, rng.uniform(2, 7), (height, width, 3))
    exposed: Picture = np.clip(seen + noise, 0, 255).astype(np.uint8)
    return exposed


def _draw_horizon(picture: Picture, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    if rng.random() < 0.45:
        horizon = int(height * rng.uniform(0.06, 0.2))
        sky: Colour = (225, 208, 188) if rng.random() < 0.6 else (205, 205, 205)
        fill(picture, polygon((0, 0), (width, 0), (width, horizon), (0, horizon)), sky)
        for x in rng.uniform(0, width, int(rng.integers(2, 7))):
            fill(picture, ellipse(x, horizon, rng.uniform(8, 26), rng.uniform(4, 11)), (48, 82, 60))
    if rng.random() < 0.4:
        _draw_fence(picture, height * rng.uniform(0.12, 0.35), rng)


def _draw_pasture(picture: Picture, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(8, 24))):
        _draw_grass(picture, rng.uniform(0, width), rng.uniform(0.15, 1) * height, rng)


def _draw_wall(picture: Picture, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    if rng.random() < 0.6:
        wall = height * rng.uniform(0.06, 0.2)
        fill(picture, polygon((0, 0), (width, 0), (width, wall), (0, wall)), (150, 152, 155))
        _draw_fence(picture, wall, rng)


def _draw_pen(picture: Picture, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(0, 4))):  # joints of the slatted floor
        y = rng.uniform(0.2, 1) * height
        _draw_line(picture, (0, y), (width, y + rng.normal(0, 6)), (70, 78, 84), 1)
    for _ in range(int(rng.integers(20, 70))):  # straw
        x, y = rng.uniform(0, width), rng.uniform(0.15, 1) * height
        _draw_line(picture, (x, y), (x + rng.normal(0, 7), y + rng.normal(0, 4)), (110, 175, 200), 1)


def _draw_clutter(picture: Picture, rng: np.random.Generator) -> None:
    """Draw stones, bales, troughs and mud of the animals' sizes and colours: what a detector must tell apart."""
    kinds: tuple[Callable[[Picture, float, float, float, np.random.Generator], None], ...]
    kinds = (_draw_stone, _draw_bale, _draw_trough, _draw_mud)
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(1, 6))):
        size = rng.uniform(0.05, 0.16) * width
        x, y = rng.uniform(0, width), rng.uniform(0.2, 1) * height
        kinds[int(rng.integers(len(kinds)))](picture, x, y, size, rng)


def _draw_stone(picture: Picture, x: float, y: float, size: float, rng: np.random.Generator) -> None:
    grey = rng.uniform(90, 190)
    colour = (grey, grey * rng.uniform(0.95, 1.08), grey * rng.uniform(0.95, 1.2))
    fill(picture, ellipse(x, y + size * 0.1, size * 0.5, size * 0.3), shaded(colour, 0.55))
    fill(picture, ellipse(x, y, size * 0.48, size * 0.28, rng.uniform(-20, 20)), colour)


def _draw_bale(picture: Picture, x: float, y: float, size: float, rng: np.random.Generator) -> None:
    colour: Colour = (85, 160, 200)
    if rng.random() < 0.3:
        colour = (70, 95, 140)
    w, h = size * 0.5, size * 0.32
    fill(picture, polygon((x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)), shaded(colour, 0.75))
    fill(picture, polygon((x - w, y - h), (x + w, y - h), (x + w, y), (x - w, y)), colour)


def _draw_trough(picture: Picture, x: float, y: float, size: float, rng: np.random.Generator) -> None:
    metal = rng.uniform(110, 170)
    rim = polygon((x - size, y), (x + size, y), (x + size * 0.8, y + size * 0.4), (x - size * 0.8, y + size * 0.4))
    fill(picture, rim, (metal, metal, metal * 0.95))
    fill(picture, ellipse(x, y, size, size * 0.12), (60, 70, 75))


def _draw_mud(picture: Picture, x: float, y: float, size: float, rng: np.random.Generator) -> None:
    for _ in range(4):
        spot = ellipse(
            x + rng.normal(0, size * 0.3), y + rng.normal(0, size * 0.3), size * 0.5, size * 0.2, rng.uniform(-15, 15)
        )
        fill(picture, spot, (55, 72, 92))


def _draw_fence(picture: Picture, y: float, rng: np.random.Generator) -> None:
    width = picture.shape[1]
    colour: Colour = (75, 95, 115) if rng.random() < 0.5 else (165, 168, 170)
    for offset in (0, 9):
        _draw_line(picture, (0, y + offset), (width, y + offset + rng.normal(0, 3)), colour, 2)
    for x in np.arange(rng.uniform(0, 40), width, rng.uniform(35, 60)).tolist():
        _draw_line(picture, (x, y - 5), (x, y + 18), shaded(colour, 0.8), 3)


def _draw_grass(picture: Picture, x: float, y: float, rng: np.random.Generator) -> None:
    for _ in range(5):
        tip = (x + rng.normal(0, 5), y - rng.uniform(4, 11))
        _draw_line(picture, (x + rng.normal(0, 2), y), tip, (50, 150 * rng.uniform(0.7, 1.1), 100), 1)


def _draw_line(
    picture: Picture, start: tuple[float, float], end: tuple[float, float], colour: Colour, width: int
) -> None:
    ends = [(round(x), round(y)) for x, y in (start, end)]
    cv2.line(picture, ends[0], ends[1], colour, width, cv2.LINE_AA)


def _blotches(width: int, height: int, cell: int, rng: np.random.Generator) -> Floats:
    """Return smooth noise of shape ``(height, width)``, about -1..1, whose blots are ``cell`` pixels wide."""
    coarse = rng.normal(0, 0.5, (height // cell + 2, width // cell + 2))
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return smooth.astype(np.float64)
