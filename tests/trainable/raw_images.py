"""Raw predictions drawn at random, as a detector that is neither blind nor perfect would make them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from trainable.raw_file import RawFile, RawImage, writing
from trainable.yolov5_parts import xywh2xyxy

SIDE = 256


def draw_images(count: int, classes: int, seed: int, *, rows: int = 60) -> list[RawImage]:
    """Images of 1 to 6 boxes; around each box some candidates, of which the closer ones are more confident."""
    draw = torch.Generator().manual_seed(seed)
    return [_draw_image(f"{index:04d}.jpg", classes, rows, draw) for index in range(count)]


def write_raw(path: Path, images: Sequence[RawImage], about: dict[str, object] | None = None) -> RawFile:
    with writing(path, about or {}) as writer:
        for image in images:
            writer.add(image)
    return RawFile(path, about or {}, len(images))


def _draw_image(file: str, classes: int, rows: int, draw: torch.Generator) -> RawImage:
    boxes = int(torch.randint(1, 7, (1,), generator=draw))
    kinds = torch.randint(classes, (boxes, 1), generator=draw).float()
    sides = 0.08 + 0.2 * torch.rand(boxes, 2, generator=draw)
    centres = 0.2 + 0.6 * torch.rand(boxes, 2, generator=draw)
    labels = torch.cat((kinds, centres, sides), 1)
    of = torch.randint(boxes, (rows,), generator=draw)
    noise = torch.rand(rows, 1, generator=draw)  # how far off a candidate is
    found = labels[of, 1:] * (1 + 0.5 * noise * torch.randn(rows, 4, generator=draw)).clamp(0.3, 3)
    confidence = (1 - noise) ** 2 * torch.rand(rows, 1, generator=draw).sqrt() * 0.95 + 0.002
    wrong = torch.rand(rows, generator=draw) < 0.15
    kind = torch.where(wrong[:, None], torch.randint(classes, (rows, 1), generator=draw).float(), kinds[of])
    candidates = torch.cat((xywh2xyxy(found * SIDE), confidence, kind), 1)
    order = candidates[:, 4].argsort(descending=True, stable=True)
    letterbox = ((SIDE * 2, SIDE * 2), ((0.5, 0.5), (0.0, 0.0)))
    return RawImage(file, letterbox, (SIDE, SIDE), candidates[order], labels)


def cut_images(images: Sequence[RawImage], chosen: Sequence[int]) -> list[RawImage]:
    return [images[index] for index in np.asarray(chosen)]
