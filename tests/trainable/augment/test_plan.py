"""The draws of an epoch: what they depend on, and their distributions, which are those of YOLOv5."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from trainable.augment.plan import TILES, EpochPlan, draw_epoch
from trainable.hyp import Hyp

IMAGES, SIZE = 4000, 96
ALPHA = 1e-3
EVERYTHING = Hyp(
    mosaic=0.7, mixup=0.4, degrees=10.0, shear=5.0, perspective=0.0005, scale=0.4, translate=0.2, flipud=0.3, hsv_h=0.1
)


def draw(hyp: Hyp = EVERYTHING, images: int = IMAGES, *, seed: int = 3, epoch: int = 1) -> EpochPlan:
    return draw_epoch(hyp.as_dict(), images, SIZE, seed=seed, epoch=epoch)


def same(one: EpochPlan, other: EpochPlan) -> dict[str, bool]:
    return {name: np.array_equal(values, vars(other)[name]) for name, values in vars(one).items()}


def uniform(low: float, high: float) -> Any:
    return stats.uniform(low, high - low).cdf


def follows(values: npt.NDArray[Any], distribution: Any) -> None:
    assert stats.kstest(values, distribution).pvalue > ALPHA


def happens(events: npt.NDArray[np.bool_], share: float) -> None:
    assert stats.binomtest(int(events.sum()), len(events), share).pvalue > ALPHA


def independent(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> None:
    assert stats.spearmanr(one, other).pvalue > ALPHA


def test_a_seed_and_an_epoch_make_the_plan() -> None:
    assert all(same(draw(), draw()).values())
    assert not any(same(draw(), draw(epoch=2)).values())
    assert not any(same(draw(), draw(seed=4)).values())


def test_seed_and_epoch_are_not_added_up() -> None:
    assert not any(same(draw(seed=3, epoch=1), draw(seed=1, epoch=3)).values())
    assert not any(same(draw(seed=2, epoch=2), draw(seed=3, epoch=1)).values())


@pytest.mark.parametrize("images", [1, 2, 25])
def test_every_image_comes_once_in_an_order_of_its_own(images: int) -> None:
    plain, mosaic = draw(Hyp(mosaic=0.0), images), draw(Hyp(mosaic=1.0), images)

    order = plain.images[:, 0, 0]
    assert sorted(order) == list(range(images))
    assert (mosaic.images[:, 0] == order[:, None]).any(1).all()  # it is one of the four tiles
    assert images < 25 or order.tolist() != list(range(images))


def test_a_part_holds_the_rows_of_the_whole() -> None:
    plan = draw(images=10)

    part = plan.part(7, 12)

    assert len(part) == 3
    for name, values in vars(part).items():
        np.testing.assert_array_equal(values, vars(plan)[name][7:])


def test_the_image_lies_anywhere_among_three_others() -> None:
    plan = draw()
    order = draw(dataclasses.replace(EVERYTHING, mosaic=0.0)).images[:, 0, 0]
    own = plan.images[:, 0] == order[:, None]
    tiles, places = plan.images[plan.mosaic, 0], own[plan.mosaic]

    assert own.any(1).all()
    assert own[~plan.mosaic, 0].all()
    assert stats.chisquare(places.sum(0)).pvalue > ALPHA
    follows(tiles[~places], stats.randint(0, IMAGES).cdf)
    follows(plan.images[:, 1].ravel(), stats.randint(0, IMAGES).cdf)
    rows, at = np.arange(len(tiles)), places.argmax(1)
    independent(tiles[rows, at], tiles[rows, (at + 1) % TILES])


def test_mosaic_and_mixup_come_as_often_as_asked() -> None:
    plan = draw()

    happens(plan.mosaic, 0.7)
    happens(plan.mixup[plan.mosaic], 0.4)
    assert not plan.mixup[~plan.mosaic].any()  # YOLOv5 mixes mosaics alone


@pytest.mark.parametrize(("share", "expected"), [(0.0, False), (1.0, True)])
def test_never_and_always(share: float, expected: bool) -> None:
    plan = draw(Hyp(mosaic=1.0, mixup=share, flipud=share, fliplr=share))

    assert (plan.mixup == expected).all()
    assert (plan.flips == expected).all()


def test_flips_come_as_often_as_asked() -> None:
    plan = draw()

    happens(plan.flips[:, 0], EVERYTHING.flipud)
    happens(plan.flips[:, 1], EVERYTHING.fliplr)
    independent(*plan.flips.T)


def test_the_tiles_meet_within_the_middle_half() -> None:
    centres = draw().centres

    for canvas in (0, 1):
        for axis in (0, 1):
            follows(centres[:, canvas, axis], stats.randint(SIZE // 2, SIZE * 3 // 2).cdf)
        independent(*centres[:, canvas].T)
    independent(centres[:, 0, 0], centres[:, 1, 0])


def test_colours_and_blends() -> None:
    plan = draw()

    for column, gain in enumerate((EVERYTHING.hsv_h, EVERYTHING.hsv_s, EVERYTHING.hsv_v)):
        follows(plan.gains[:, column], uniform(1 - gain, 1 + gain))
    independent(plan.gains[:, 1], plan.gains[:, 2])
    follows(plan.ratios, stats.beta(32, 32).cdf)


@pytest.mark.parametrize("canvas", [0, 1])
def test_scale_angle_and_translation(canvas: int) -> None:
    hyp = dataclasses.replace(EVERYTHING, shear=0.0, perspective=0.0)
    plan = draw(hyp)
    turned = plan.matrices[:, canvas]

    scale = np.hypot(turned[:, 0, 0], turned[:, 0, 1])
    angle = np.rad2deg(np.arctan2(turned[:, 0, 1], turned[:, 0, 0]))
    np.testing.assert_allclose(scale, plan.scales[:, canvas])
    follows(scale, uniform(1 - hyp.scale, 1 + hyp.scale))
    follows(angle, uniform(-hyp.degrees, hyp.degrees))
    independent(scale, angle)
    shifts = middle(plan, canvas)
    for axis in (0, 1):
        follows(shifts[:, axis] / SIZE, uniform(0.5 - hyp.translate, 0.5 + hyp.translate))
    independent(*shifts.T)


def middle(plan: EpochPlan, canvas: int) -> npt.NDArray[np.float64]:
    """Where the middle of each canvas comes to lie, shape (n, 2); no other part of a warp moves it."""
    half = np.where(plan.mosaic, SIZE, SIZE / 2)
    points = np.stack([half, half, np.ones(len(plan))], 1)[..., None]
    moved = (plan.matrices[:, canvas] @ points)[..., 0]
    return moved[:, :2] / moved[:, 2:]


def test_the_middle_is_moved_by_the_translation_alone() -> None:
    for canvas in (0, 1):
        shifts = middle(draw(), canvas)
        np.testing.assert_allclose(shifts, middle(draw(Hyp(mosaic=0.7, translate=0.2)), canvas))


def test_shear_and_perspective() -> None:
    plan = draw(Hyp(mosaic=0.5, degrees=0.0, scale=0.0, shear=5.0, perspective=0.0))
    for row, column in ((0, 1), (1, 0)):
        follows(np.rad2deg(np.arctan(plan.matrices[:, 0, row, column])), uniform(-5, 5))
    plan = draw(Hyp(mosaic=0.5, degrees=0.0, scale=0.0, shear=0.0, perspective=0.001))
    for column in (0, 1):
        follows(plan.matrices[:, 0, 2, column], uniform(-0.001, 0.001))


def test_the_canvases_of_a_blend_are_warped_each_by_itself() -> None:
    plan = draw()

    independent(plan.scales[:, 0], plan.scales[:, 1])
    independent(middle(plan, 0)[:, 0], middle(plan, 1)[:, 0])


def test_two_hyps_of_one_seed_share_their_draws() -> None:
    mild = Hyp(mosaic=0.3, mixup=0.2, scale=0.1, translate=0.05, fliplr=0.2, hsv_s=0.1, degrees=1.0)
    wild = Hyp(mosaic=0.9, mixup=0.8, scale=0.8, translate=0.3, fliplr=0.7, hsv_s=0.9, degrees=20.0)
    one, other = draw(mild), draw(wild)

    for smaller, larger in ((one.mosaic, other.mosaic), (one.mixup, other.mixup), (one.flips, other.flips)):
        assert smaller.any()
        assert (larger | ~smaller).all()  # what happens under the mild one happens under the wild one
    np.testing.assert_array_equal(one.images[one.mosaic], other.images[one.mosaic])
    np.testing.assert_array_equal(one.centres, other.centres)
    np.testing.assert_array_equal(one.ratios, other.ratios)
    np.testing.assert_allclose((one.scales - 1) / 0.1, (other.scales - 1) / 0.8)
    np.testing.assert_allclose((one.gains[:, 1] - 1) / 0.1, (other.gains[:, 1] - 1) / 0.9)
    np.testing.assert_allclose((middle(one, 0) / SIZE - 0.5) / 0.05, (middle(other, 0) / SIZE - 0.5) / 0.3, atol=1e-9)
