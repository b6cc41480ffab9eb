"""Every random number of an epoch, drawn at once: the order of the images and how each is augmented.

The draws follow YOLOv5's ``LoadImagesAndLabels.__getitem__``, ``load_mosaic`` and ``random_perspective`` in
distribution. They depend on (seed, epoch) alone, not on what was drawn before: a resumed training needs no state, any
thread may render any batch, and trials of one seed see the same draws whatever their hyps, which makes their
comparison fairer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

TILES = 4
CANVASES = 2
MIXUP_BETA = 32.0
"""Parameter of the beta distribution of the mix-up ratio (``yolov5.utils.augmentations.mixup``)."""
WARPS = ("perspective_x", "perspective_y", "angle", "scale", "shear_x", "shear_y", "shift_x", "shift_y")
"""What a warp is drawn from, in the order in which ``random_perspective`` draws."""


@dataclass(frozen=True)
class EpochPlan:
    """The draws of an epoch; row i of each array belongs to the i-th image of the epoch.

    A canvas is what an output image is cut from: a mosaic of four tiles, or one letterboxed image. Canvas 1 is the one
    that a mix-up blends in.

    Attributes:
        mosaic:
            Shape (n,): whether the canvas is a mosaic.
        images:
            Shape (n, canvases, tiles): image of each tile (top left, top right, bottom left, bottom right); without
            mosaic only the first tile of the first canvas counts.
        centres:
            Shape (n, canvases, 2): x, y in pixels of the canvas where the tiles meet.
        matrices:
            Shape (n, canvases, 3, 3): from the canvas to the output, both in pixels.
        scales:
            Shape (n, canvases): the scale in ``matrices``.
        mixup:
            Shape (n,): whether canvas 1 is blended in.
        ratios:
            Shape (n,): share of canvas 0 in the blend.
        gains:
            Shape (n, 3): factors on hue, saturation and value.
        flips:
            Shape (n, 2): upside down, left to right.
    """

    mosaic: Booleans
    images: Integers
    centres: Integers
    matrices: Floats
    scales: Floats
    mixup: Booleans
    ratios: Floats
    gains: Floats
    flips: Booleans

    def __len__(self) -> int:
        return len(self.mosaic)

    def part(self, start: int, stop: int) -> EpochPlan:
        """The images ``start`` to ``stop`` of the epoch."""
        return self.take(np.arange(start, min(stop, len(self))))

    def take(self, rows: Integers) -> EpochPlan:
        """Some images of the epoch, by their place in it."""
        return EpochPlan(**{name: values[rows] for name, values in vars(self).items()})


def draw_epoch(hyp: Mapping[str, float], images: int, image_size: int, *, seed: int, epoch: int) -> EpochPlan:
    """Draw an epoch.

    Args:
        hyp:
            YOLOv5's hyp mapping.
        images:
            Number of images.
        image_size:
            Side of the output in pixels.
        seed:
            Seed of the training.
        epoch:
            Number of the epoch, from 0.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(images)
    mosaic = rng.random(images) < hyp["mosaic"]
    mixup = mosaic & (rng.random(images) < hyp["mixup"])
    # Every draw is taken whatever the hyp, so that two hyps differ in nothing but what they say.
    matrices, scales = compose(hyp, mosaic, image_size, rng.uniform(-1, 1, (len(WARPS), images, CANVASES)))
    return EpochPlan(
        mosaic=mosaic,
        images=_tiles(order, mosaic, rng),
        centres=rng.uniform(image_size / 2, image_size * 3 / 2, (images, CANVASES, 2)).astype(np.int64),
        matrices=matrices,
        scales=scales,
        mixup=mixup,
        ratios=rng.beta(MIXUP_BETA, MIXUP_BETA, images),
        gains=rng.uniform(-1, 1, (images, 3)) * [hyp["hsv_h"], hyp["hsv_s"], hyp["hsv_v"]] + 1,
        flips=rng.random((images, 2)) < [hyp["flipud"], hyp["fliplr"]],
    )


def _tiles(order: Integers, mosaic: Booleans, rng: np.random.Generator) -> Integers:
    """The image itself at a random place among three others; any four for what is blended in."""
    count = len(order)
    tiles = rng.integers(0, count, (count, CANVASES, TILES))
    place = np.where(mosaic, rng.integers(0, TILES, count), 0)
    tiles[np.arange(count), 0, place] = order
    return tiles


def compose(hyp: Mapping[str, float], mosaic: Booleans, image_size: int, draws: Floats) -> tuple[Floats, Floats]:
    """Matrices as ``random_perspective`` multiplies them, and their scales.

    Args:
        hyp:
            YOLOv5's hyp mapping.
        mosaic:
            Shape (n,): whether the canvas is a mosaic, twice as wide as the output.
        image_size:
            Side of the output in pixels.
        draws:
            Shape (8, n, canvases), between -1 and 1: what ``WARPS`` names.

    Returns:
        Shapes (n, canvases, 3, 3) and (n, canvases).
    """
    shape = (len(mosaic), CANVASES)
    unit = dict(zip(WARPS, draws, strict=True))
    scales = 1 + unit["scale"] * hyp["scale"]
    angle = np.deg2rad(unit["angle"] * hyp["degrees"])
    half = np.where(mosaic, image_size, image_size / 2)[:, None]
    centre, perspective, rotation, shear, translation = (_identity(shape) for _ in range(5))
    centre[..., 0, 2] = centre[..., 1, 2] = -half
    perspective[..., 2, 0], perspective[..., 2, 1] = (
        unit["perspective_x"] * hyp["perspective"],
        unit["perspective_y"] * hyp["perspective"],
    )
    rotation[..., 0, 0] = rotation[..., 1, 1] = scales * np.cos(angle)
    rotation[..., 0, 1] = scales * np.sin(angle)
    rotation[..., 1, 0] = -rotation[..., 0, 1]
    shear[..., 0, 1] = np.tan(np.deg2rad(unit["shear_x"] * hyp["shear"]))
    shear[..., 1, 0] = np.tan(np.deg2rad(unit["shear_y"] * hyp["shear"]))
    translation[..., 0, 2] = (0.5 + unit["shift_x"] * hyp["translate"]) * image_size
    translation[..., 1, 2] = (0.5 + unit["shift_y"] * hyp["translate"]) * image_size
    return translation @ shear @ rotation @ perspective @ centre, scales


def _identity(shape: tuple[int, ...]) -> Floats:
    return np.broadcast_to(np.eye(3), (*shape, 3, 3)).copy()
