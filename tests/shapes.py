"""Draws a tiny YOLO data set: discs (class 0) and squares (class 1) on noise, in two image formats."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import yaml

FORMATS = ((160, 96), (128, 96))


def draw_shapes(folder: Path, *, train: int, val: int, seed: int, polygons: bool = False) -> Path:
    """Draw the set into ``folder``; returns the path of its data.yaml (with an absolute ``path``).

    Labels are boxes or ``polygons``, which copy-paste needs.
    """
    generator = np.random.default_rng(seed)
    for split, count in (("train", train), ("val", val)):
        (folder / "images" / split).mkdir(parents=True)
        (folder / "labels" / split).mkdir(parents=True)
        for index in range(count):
            # The last image of each split has no animal and no label file.
            boxes = 0 if index == count - 1 else int(generator.integers(1, 4))
            image, lines = _draw(generator, FORMATS[index % 2], boxes, polygons=polygons)
            cv2.imwrite(str(folder / "images" / split / f"{index:03d}.png"), image)
            if lines:
                (folder / "labels" / split / f"{index:03d}.txt").write_text("\n".join(lines) + "\n")
    path = folder / "data.yaml"
    spec = {
        "path": str(folder),
        "train": "images/train",
        "val": "images/val",
        "nc": 2,
        "names": ["disc", "square"],
    }
    path.write_text(yaml.safe_dump(spec))
    return path


def _draw(
    generator: np.random.Generator, size: tuple[int, int], count: int, *, polygons: bool
) -> tuple[np.ndarray, list[str]]:
    width, height = size
    image = generator.integers(60, 140, (height, width, 3)).astype(np.uint8)
    lines = []
    for _ in range(count):
        kind, radius = int(generator.integers(2)), int(generator.integers(8, 22))
        x = int(generator.integers(radius, width - radius))
        y = int(generator.integers(radius, height - radius))
        colour = (40, 60, 230) if kind == 0 else (230, 160, 40)
        if kind == 0:
            cv2.circle(image, (x, y), radius, colour, -1)
        else:
            cv2.rectangle(image, (x - radius, y - radius), (x + radius, y + radius), colour, -1)
        side = 2 * radius
        if polygons:
            lines.append(f"{kind} {_outline(kind, x, y, radius, size)}")
        else:
            lines.append(f"{kind} {x / width:.6f} {y / height:.6f} {side / width:.6f} {side / height:.6f}")
    return image, lines


def _outline(kind: int, x: int, y: int, radius: int, size: tuple[int, int]) -> str:
    """Corners of a square, or of the twelve-sided polygon in a disc, as a YOLO label has them."""
    angles = np.arange(12) * np.pi / 6 if kind == 0 else (np.arange(4) + 0.5) * np.pi / 2
    reach = radius if kind == 0 else radius * np.sqrt(2)
    points = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], 1) / size
    return " ".join(f"{value:.6f}" for value in points.ravel())
