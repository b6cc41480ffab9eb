from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_prep.dataset import read_data_yaml
from data_prep.errors import WorkFailedError
from tests.shapes import draw_shapes
from trainable import rng
from trainable.augment.render_device import DeviceBank
from trainable.augmented import AugmentedBatches, PolygonBatches
from trainable.batches import EpochBatches
from trainable.dataset import DataStore, YoloDataset
from trainable.device_bank import device_bank
from trainable.forward import MatchedBatch
from trainable.hyp import Hyp
from trainable.image_bank import ImagePolicy
from trainable.loss import Matcher
from trainable.parts import attach
from trainable.weights import build_model

SIZE, IMAGES = 96, 14
HYP = Hyp(mosaic=0.7, mixup=0.5, degrees=10.0, flipud=0.3)


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    torch.manual_seed(0)
    model = build_model("yolov5n", 2)
    attach(model, HYP.as_dict() | {"label_smoothing": 0.0}, ["disc", "square"])
    return Matcher(model, SIZE)


def dataset_of(path: Path, *, cache: str = "disk") -> YoloDataset:
    data, store, policy = read_data_yaml(path), DataStore(), ImagePolicy(cache=cache)
    images = store.images(data, "train", policy)
    bank = store.bank(data, "train", SIZE, augmented=True, policy=policy)
    return YoloDataset(images, bank, image_size=SIZE, batch_size=8, hyp=HYP.as_dict())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> YoloDataset:
    return dataset_of(draw_shapes(tmp_path_factory.mktemp("shapes"), train=IMAGES, val=1, seed=3))


def batches(dataset: YoloDataset, matcher: Matcher, batch_size: int = 4, **options: Any) -> AugmentedBatches:
    return AugmentedBatches(dataset, HYP.as_dict(), batch_size, seed=5, matcher=matcher, **options)


def assert_equal(found: Sequence[MatchedBatch], expected: Sequence[MatchedBatch]) -> None:
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.equal(mine.images, theirs.images)
        assert_same_matches(mine, theirs)


def assert_same_matches(mine: MatchedBatch, theirs: MatchedBatch) -> None:
    assert torch.equal(mine.matches.cells, theirs.matches.cells)
    assert torch.equal(mine.matches.boxes, theirs.matches.boxes)
    assert mine.matches.counts == theirs.matches.counts


@pytest.mark.parametrize("threads", [0, 2, 5])
def test_any_number_of_threads_makes_the_same_batches(dataset: YoloDataset, matcher: Matcher, threads: int) -> None:
    expected = list(batches(dataset, matcher, batch_size=2, threads=1).epoch(3))

    for _ in range(3):
        assert_equal(list(batches(dataset, matcher, batch_size=2, threads=threads).epoch(3)), expected)


def test_an_epoch_does_not_depend_on_what_came_before(dataset: YoloDataset, matcher: Matcher) -> None:
    expected = list(batches(dataset, matcher).epoch(2))
    used = batches(dataset, matcher, threads=0)  # one canvas for all
    for number in (0, 1):
        list(used.epoch(number))
    next(used.epoch(2))  # left in the middle
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002  # the global stream, which must not matter

    assert_equal(list(used.epoch(2)), expected)


def test_it_draws_nothing_from_the_global_streams(dataset: YoloDataset, matcher: Matcher) -> None:
    before = rng.capture()

    list(batches(dataset, matcher).epoch(0))

    after = rng.capture()
    assert torch.equal(before["torch"], after["torch"])
    assert torch.equal(before["numpy"]["keys"], after["numpy"]["keys"])
    assert before["numpy"]["position"] == after["numpy"]["position"]
    assert torch.equal(before["python"]["words"], after["python"]["words"])


def test_epochs_and_seeds_differ(dataset: YoloDataset, matcher: Matcher) -> None:
    first, second = (next(batches(dataset, matcher).epoch(number)).images for number in (0, 1))
    other = AugmentedBatches(dataset, HYP.as_dict(), 4, seed=6, matcher=matcher)

    assert not torch.equal(first, second)
    assert not torch.equal(first, next(other.epoch(0)).images)


def test_the_last_batch_is_what_is_left(dataset: YoloDataset, matcher: Matcher) -> None:
    made = batches(dataset, matcher, batch_size=4)

    found = list(made.epoch(0))

    assert [len(batch.images) for batch in found] == [4, 4, 4, 2]
    assert len(made) == 4
    assert found[-1].matches.cells[0].max() < 2
    assert all(sum(batch.matches.counts) == batch.matches.cells.shape[1] for batch in found)


@pytest.mark.parametrize("batch_size", [1, 5, IMAGES, 100])
def test_images_do_not_depend_on_the_batch_size(dataset: YoloDataset, matcher: Matcher, batch_size: int) -> None:
    expected = torch.cat([batch.images for batch in batches(dataset, matcher).epoch(1)])

    found = list(batches(dataset, matcher, batch_size).epoch(1))

    assert torch.equal(torch.cat([batch.images for batch in found]), expected)


def test_images_are_bytes_with_the_channels_last(dataset: YoloDataset, matcher: Matcher) -> None:
    images = next(batches(dataset, matcher).epoch(0)).images

    assert images.dtype == torch.uint8
    assert images.shape == (4, 3, SIZE, SIZE)
    assert images.is_contiguous(memory_format=torch.channels_last)


def on_the_cpu(dataset: YoloDataset) -> DeviceBank:
    pixels = dataset.bank.flat
    assert pixels is not None
    return device_bank(dataset.bank, pixels, torch.device("cpu"))


@pytest.mark.parametrize("threads", [1, 3])
def test_a_device_that_renders_gives_the_same_batches(dataset: YoloDataset, matcher: Matcher, threads: int) -> None:
    expected = list(batches(dataset, matcher).epoch(1))

    found = list(batches(dataset, matcher, threads=threads, bank=on_the_cpu(dataset)).epoch(1))

    for mine, theirs in zip(found, expected, strict=True):
        assert_same_matches(mine, theirs)
        assert mine.images.dtype == torch.uint8
        assert mine.images.is_contiguous(memory_format=torch.channels_last)
        difference = (mine.images.int() - theirs.images.int()).abs().float()
        assert difference.mean() < 0.5  # rounding, see tests/trainable/augment/test_render_device.py
        assert (difference <= 4).float().mean() > 0.99


def test_there_is_no_state(dataset: YoloDataset, matcher: Matcher) -> None:
    made = batches(dataset, matcher)
    made.load_state_dict(made.state_dict())

    assert made.state_dict() == {}


def test_an_image_that_is_gone_is_named(tmp_path: Path, matcher: Matcher) -> None:
    folder = tmp_path / "set"
    dataset = dataset_of(draw_shapes(folder, train=IMAGES, val=1, seed=3), cache="none")
    (folder / "images" / "train" / "007.png").unlink()

    with pytest.raises(WorkFailedError, match=r"007\.png"):
        list(batches(dataset, matcher, threads=2).epoch(0))


def test_polygons_are_augmented_by_yolov5_itself(tmp_path: Path, matcher: Matcher) -> None:
    dataset = dataset_of(draw_shapes(tmp_path / "set", train=6, val=1, seed=3, polygons=True))
    plain, made = (EpochBatches(dataset, 4, shuffle=True, seed=1) for _ in range(2))
    matched = PolygonBatches(made, matcher)
    streams = rng.capture()

    expected = list(plain.epoch(0))
    rng.restore(streams)
    found = list(matched.epoch(0))

    assert len(matched) == len(found) == len(expected) == 2
    for mine, (images, targets, _, _) in zip(found, expected, strict=True):
        assert torch.equal(mine.images, images)
        assert_same_matches(mine, MatchedBatch(images, matcher.match(targets)))
    assert torch.equal(matched.state_dict()["order"], plain.state_dict()["order"])
