"""Where tiles lie, against the statements of ``load_mosaic`` and the pixels of ``letterbox``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from yolov5.utils.augmentations import letterbox

from trainable.augment.layout import Layout, lay_out
from trainable.augment.plan import EpochPlan, draw_epoch
from trainable.bank_decode import resized_size
from trainable.hyp import Hyp

SIZE = 64
originals = st.lists(st.tuples(st.integers(10, 300), st.integers(10, 300)), min_size=1, max_size=8)
seeds = st.integers(0, 2**32 - 1)


def laid(images: list[tuple[int, int]], hyp: Hyp, seed: int) -> tuple[EpochPlan, npt.NDArray[np.int64], Layout]:
    """Plan, (width, height) of the images as a bank holds them, and the layout."""
    sizes = np.array([resized_size(each, SIZE)[::-1] for each in images], np.int64)
    plan = draw_epoch(hyp.as_dict(), len(images), SIZE, seed=seed, epoch=0)
    return plan, sizes, lay_out(plan, sizes, SIZE)


@given(originals, seeds)
def test_each_canvas_has_its_tiles(images: list[tuple[int, int]], seed: int) -> None:
    plan, _, layout = laid(images, Hyp(mosaic=0.6, mixup=0.5), seed)

    for sample in range(len(plan)):
        tiles = layout.sample == sample
        canvas = layout.canvas[tiles]
        first, second = (4 if plan.mosaic[sample] else 1), (4 if plan.mixup[sample] else 0)
        assert canvas.tolist() == [0] * first + [1] * second
        expected = [*plan.images[sample, 0, :first], *plan.images[sample, 1, :second]]
        assert layout.image[tiles].tolist() == expected
        assert (layout.mosaic[tiles] == plan.mosaic[sample]).all()
    assert (np.diff(layout.sample) >= 0).all()


@given(originals, seeds)
def test_a_mosaic_is_laid_as_yolov5_lays_it(images: list[tuple[int, int]], seed: int) -> None:
    plan, sizes, layout = laid(images, Hyp(mosaic=1.0, mixup=0.5), seed)

    for tile in range(len(layout.image)):
        place = int((layout.canvas[:tile] == layout.canvas[tile])[layout.sample[:tile] == layout.sample[tile]].sum())
        width, height = sizes[layout.image[tile]].tolist()
        centre = plan.centres[layout.sample[tile], layout.canvas[tile]].tolist()
        area, seen = stock_tile(place, width, height, *centre)
        corner = (area[0] - seen[0], area[1] - seen[1])  # padw, padh
        assert tuple(layout.area[tile]) == area
        assert tuple(layout.corner[tile]) == tuple(layout.pad[tile]) == corner
        assert tuple(layout.size[tile]) == (width, height)


def stock_tile(i: int, w: int, h: int, xc: int, yc: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Area on the canvas, and area of the image, of tile ``i``: the lines of ``load_mosaic``."""
    s = SIZE
    if i == 0:
        x1a, y1a, x2a, y2a = max(xc - w, 0), max(yc - h, 0), xc, yc
        x1b, y1b, x2b, y2b = w - (x2a - x1a), h - (y2a - y1a), w, h
    elif i == 1:
        x1a, y1a, x2a, y2a = xc, max(yc - h, 0), min(xc + w, s * 2), yc
        x1b, y1b, x2b, y2b = 0, h - (y2a - y1a), min(w, x2a - x1a), h
    elif i == 2:
        x1a, y1a, x2a, y2a = max(xc - w, 0), yc, xc, min(s * 2, yc + h)
        x1b, y1b, x2b, y2b = w - (x2a - x1a), 0, w, min(y2a - y1a, h)
    else:
        x1a, y1a, x2a, y2a = xc, yc, min(xc + w, s * 2), min(s * 2, yc + h)
        x1b, y1b, x2b, y2b = 0, 0, min(w, x2a - x1a), min(y2a - y1a, h)
    return (x1a, y1a, x2a, y2a), (x1b, y1b, x2b, y2b)


@given(originals, seeds)
def test_a_single_image_is_laid_as_letterbox_lays_it(images: list[tuple[int, int]], seed: int) -> None:
    _, sizes, layout = laid(images, Hyp(mosaic=0.0), seed)

    for tile, image in enumerate(layout.image):
        width, height = sizes[image]
        white = np.full((height, width, 3), 255, np.uint8)
        boxed, _, pad = letterbox(white, SIZE, auto=False, scaleup=True)
        rows, columns = np.nonzero(boxed[..., 0] == 255)
        seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert tuple(layout.area[tile]) == seen
        assert tuple(layout.corner[tile]) == seen[:2]
        assert tuple(layout.size[tile]) == (seen[2] - seen[0], seen[3] - seen[1])
        assert tuple(layout.pad[tile]) == pad
