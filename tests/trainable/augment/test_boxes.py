from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainable.augment.boxes import Boxes, augment_boxes
from trainable.augment.layout import lay_out
from trainable.augment.plan import EpochPlan, draw_epoch
from trainable.hyp import Hyp

SIZE = 64
IMAGES = 12
HYPS = (
    Hyp(),
    Hyp(mosaic=0.0, degrees=40.0, shear=8.0, translate=0.5),
    Hyp(mosaic=0.6, mixup=0.7, flipud=0.5, scale=0.9, perspective=0.002),
)
seeds = st.integers(0, 10**6)


def drawn(hyp: Hyp, seed: int) -> tuple[EpochPlan, npt.NDArray[np.int64], Boxes]:
    """A plan, sizes (width, height) of images, and some boxes of each."""
    rng = np.random.default_rng(seed)
    sizes = np.full((IMAGES, 2), SIZE)
    sizes[np.arange(IMAGES), rng.integers(0, 2, IMAGES)] = rng.integers(20, SIZE + 1, IMAGES)
    labels = []
    for _ in range(IMAGES):
        centre, half = rng.uniform(0, 1, (rng.integers(0, 5), 2)), rng.uniform(0, 0.4)
        low, high = (centre - half).clip(0, 1), (centre + half).clip(0, 1)
        labels.append(np.column_stack([rng.integers(0, 3, len(centre)), (low + high) / 2, high - low]))
    plan = draw_epoch(hyp.as_dict(), IMAGES, SIZE, seed=seed, epoch=0)
    return plan, sizes, Boxes.of([rows.astype(np.float32) for rows in labels])


def targets_of(plan: EpochPlan, sizes: npt.NDArray[np.int64], boxes: Boxes) -> npt.NDArray[np.float32]:
    return augment_boxes(plan, lay_out(plan, sizes, SIZE), boxes, SIZE)


@given(st.sampled_from(HYPS), seeds)
def test_targets_lie_within_their_image(hyp: Hyp, seed: int) -> None:
    plan, sizes, boxes = drawn(hyp, seed)

    targets = targets_of(plan, sizes, boxes)

    assert targets.dtype == np.float32
    assert (np.diff(targets[:, 0]) >= 0).all()
    assert set(targets[:, 0]) <= set(range(IMAGES))
    assert set(targets[:, 1]) <= {0.0, 1.0, 2.0}
    low, high = targets[:, 2:4] - targets[:, 4:] / 2, targets[:, 2:4] + targets[:, 4:] / 2
    assert (low >= -1e-6).all()
    assert (high <= 1 + 1e-6).all()
    assert (targets[:, 4:] * SIZE > 1.99).all()  # smaller ones are dropped


@given(st.sampled_from(HYPS), seeds)
def test_flips_mirror_and_do_nothing_else(hyp: Hyp, seed: int) -> None:
    plan, sizes, boxes = drawn(hyp, seed)
    unflipped = dataclasses.replace(plan, flips=np.zeros_like(plan.flips))

    expected = targets_of(unflipped, sizes, boxes)
    upside_down, mirrored = plan.flips[expected[:, 0].astype(int)].T
    expected[mirrored, 2] = 1 - expected[mirrored, 2]
    expected[upside_down, 3] = 1 - expected[upside_down, 3]

    np.testing.assert_array_equal(targets_of(plan, sizes, boxes), expected)


@given(st.sampled_from(HYPS), seeds, st.integers(1, IMAGES + 1))
def test_targets_do_not_depend_on_the_batch_size(hyp: Hyp, seed: int, batch_size: int) -> None:
    plan, sizes, boxes = drawn(hyp, seed)

    found = []
    for start in range(0, IMAGES, batch_size):
        rows = targets_of(plan.part(start, start + batch_size), sizes, boxes)
        rows[:, 0] += start
        found.append(rows)

    np.testing.assert_array_equal(np.concatenate(found), targets_of(plan, sizes, boxes))


@pytest.mark.parametrize("hyp", HYPS)
def test_no_boxes_give_no_targets(hyp: Hyp) -> None:
    plan, sizes, _ = drawn(hyp, 0)

    targets = targets_of(plan, sizes, Boxes.of([np.zeros((0, 5), np.float32)] * IMAGES))

    assert targets.shape == (0, 6)
    assert targets.dtype == np.float32


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.lists(st.integers(0, 5), max_size=8))
def test_boxes_are_found_by_image(counts: list[int], asked: list[int]) -> None:
    labels = [np.full((count, 5), index, np.float32) for index, count in enumerate(counts)]
    image = np.array([each % len(counts) for each in asked], np.int64)

    rows, tile = Boxes.of(labels).of_tiles(image)

    assert rows[:, 0].tolist() == [float(each) for each in image for _ in range(counts[each])]
    assert tile.tolist() == [at for at, each in enumerate(image) for _ in range(counts[each])]


def one_box(
    size: int, centre: tuple[float, float], side: tuple[float, float], scale: float = 1.0, shift: float = 0.0
) -> npt.NDArray[np.float32]:
    """Targets of one square image with one box, sides in pixels; scaled about the corner, then shifted to the right."""
    plan = draw_epoch(Hyp(mosaic=0.0, fliplr=0.0).as_dict(), 1, size, seed=0, epoch=0)
    matrices = np.broadcast_to(np.diag([scale, scale, 1.0]), (1, 2, 3, 3)).copy()
    matrices[..., 0, 2] = shift
    plan = dataclasses.replace(plan, matrices=matrices, scales=np.full((1, 2), scale))
    label = np.array([[0, *centre, side[0] / size, side[1] / size]], np.float32)
    return augment_boxes(plan, lay_out(plan, np.array([[size, size]]), size), Boxes.of([label]), size)


def test_an_unmoved_box_stays_as_it_is() -> None:
    np.testing.assert_allclose(
        one_box(64, (0.5, 0.25), (16, 8)), [[0, 0, 0.5, 0.25, 0.25, 0.125]], rtol=1e-6
    )  # fmt: skip


@pytest.mark.parametrize(("side", "kept"), [((1.9, 30.0), 0), ((30.0, 1.9), 0), ((2.1, 30.0), 1), ((30.0, 2.1), 1)])
def test_a_side_of_two_pixels_is_too_small(side: tuple[float, float], kept: int) -> None:
    assert len(one_box(64, (0.5, 0.5), side)) == kept


@pytest.mark.parametrize(("side", "kept"), [((290.0, 3.0), 1), ((310.0, 3.0), 0), ((3.0, 290.0), 1), ((3.0, 310.0), 0)])
def test_a_box_a_hundred_times_as_long_as_wide_is_none(side: tuple[float, float], kept: int) -> None:
    assert len(one_box(640, (0.5, 0.5), side)) == kept


@pytest.mark.parametrize(("left", "kept"), [(0.11, 1), (0.09, 0)])
def test_a_tenth_of_a_box_must_be_left(left: float, kept: int) -> None:
    shift = 64 - 40 * left - 12  # the box is 40 pixels wide and begins at 12

    assert len(one_box(64, (0.5, 0.5), (40, 40), shift=shift)) == kept


def test_the_scale_alone_takes_no_box_away() -> None:
    (target,) = one_box(64, (0.5, 0.5), (40, 40), scale=0.2)  # a twenty-fifth of its area

    np.testing.assert_allclose(target[2:], [0.1, 0.1, 0.125, 0.125], rtol=1e-5)
