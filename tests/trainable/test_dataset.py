from __future__ import annotations

import itertools
import random
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data_prep.dataset import read_data_yaml
from data_prep.errors import DataMissingError, ImageError
from tests.shapes import draw_shapes
from trainable import bank_folder
from trainable.dataset import DataStore, YoloDataset
from trainable.failures import DATA, IMAGE, kind_of
from trainable.hyp import Hyp
from trainable.image_bank import ImagePolicy


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Six images for training: one cut, one without a decoder, one with a broken label; its data.yaml."""
    data = draw_shapes(tmp_path / "set", train=6, val=2, seed=1)
    cut = data.parent / "images" / "train" / "001.png"
    cut.write_bytes(cut.read_bytes()[:-500])
    (data.parent / "images" / "train" / "003.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (data.parent / "labels" / "train" / "004.txt").write_text("0 7 7 7 7\n")
    return data


@pytest.mark.parametrize("order", list(itertools.permutations(("disk", "ram", "none"))))
def test_the_same_images_are_left_out_whatever_the_cache(damaged: Path, tmp_path: Path, order: tuple[str, ...]) -> None:
    data, labels = read_data_yaml(damaged), []
    for cache in order:
        policy, store = ImagePolicy(cache, str(tmp_path / "cache")), DataStore()
        images = store.images(data, "train", policy)
        bank = store.bank(data, "train", 64, augmented=True, policy=policy)
        assert [Path(file).stem for file in images.files] == ["000", "002", "005"]
        assert [Path(sentence.split(":")[0]).stem for sentence in images.skipped] == ["001", "003", "004"]
        assert len(bank) == len(images.labels) == 3
        for index, file in enumerate(images.files):
            assert bank.load(index)[1] == cv2.imread(file).shape[:2] == tuple(images.sizes[index])
        labels.append(np.concatenate(images.labels))
    assert all(np.array_equal(labels[0], other) for other in labels)


def test_skipped_images_are_counted_and_warned_of(
    damaged: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data, store, policy = read_data_yaml(damaged), DataStore(), ImagePolicy("disk", str(tmp_path / "cache"))
    bank = store.bank(data, "train", 64, augmented=True, policy=policy)

    dataset = YoloDataset(store.images(data, "train", policy), bank, image_size=64, batch_size=2, hyp=None, rect=True)

    assert dataset.skipped == 3
    assert len(caplog.records) == 3
    for index in range(len(dataset)):
        pixels, original, _ = dataset.load_image(index)
        assert original == cv2.imread(dataset.im_files[index]).shape[:2]
        np.testing.assert_array_equal(original[::-1], dataset.shapes[index])
        assert pixels.shape[2] == 3


@pytest.mark.parametrize("cache", ["disk", "ram", "none"])
def test_a_broken_image_fails_by_name_where_that_is_asked_for(damaged: Path, tmp_path: Path, cache: str) -> None:
    policy = ImagePolicy(cache, str(tmp_path / "cache"), broken_images="fail")

    with pytest.raises(ImageError, match=r"001\.png") as caught:
        DataStore().images(read_data_yaml(damaged), "train", policy)

    assert kind_of(caught.value) == IMAGE


def test_images_are_kept_by_a_store_and_shared_by_banks(shapes: Path, tmp_path: Path) -> None:
    data, store, policy = read_data_yaml(shapes), DataStore(), ImagePolicy("disk", str(tmp_path))

    bank = store.bank(data, "train", 64, augmented=True, policy=policy)

    assert store.bank(data, "train", 64, augmented=True, policy=policy) is bank
    assert store.bank(data, "train", 64, augmented=False, policy=policy) is not bank
    assert store.images(data, "train", policy) is store.images(data, "train", policy)


def test_without_any_place_for_files_images_are_read_all_the_same(
    damaged: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bank_folder, "SHARED_MEMORY", Path("/dev/null"))
    policy, data = ImagePolicy("disk", "/dev/null/cache"), read_data_yaml(damaged)

    bank = DataStore().bank(data, "train", 64, augmented=True, policy=policy)

    assert [bank.load(index)[0].shape[2] for index in range(len(bank))] == [3, 3, 3]
    assert "decoded anew each time" in caplog.text


def test_a_new_manifest_is_a_new_bank(shapes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(shapes.parent, folder)
    policy = ImagePolicy("disk", str(tmp_path / "cache"))
    for content in ("one", "one", "two"):
        (folder / "manifest.json").write_text(content)
        DataStore().bank(read_data_yaml(folder / "data.yaml"), "val", 64, augmented=True, policy=policy)

    assert len(list((tmp_path / "cache").glob("*.bank"))) == 2


def lose(data: Path, what: str) -> None:
    """Take a part of a data set away."""
    folder = data.parent / "images" / "train"
    if what == "data.yaml":
        data.unlink()
    elif what == "folder":
        shutil.rmtree(folder)
    elif what == "listed":
        (data.parent / "list.txt").write_text("images/train/000.png\nimages/train/gone.png\n")
        data.write_text(data.read_text().replace("train: images/train", "train: list.txt"))
    else:
        for path in folder.iterdir():
            path.unlink() if what == "images" else path.write_bytes(b"")


@pytest.mark.parametrize(
    ("what", "early"),
    [("data.yaml", True), ("listed", True), *itertools.product(("folder", "images", "pixels"), (True, False))],
)
def test_a_data_set_that_is_gone_is_told_from_a_wrong_one(
    damaged: Path, tmp_path: Path, what: str, early: bool
) -> None:
    described = None if early else read_data_yaml(damaged)
    lose(damaged, what)

    with pytest.raises(DataMissingError) as caught:
        DataStore().images(described or read_data_yaml(damaged), "train", ImagePolicy("disk", str(tmp_path / "cache")))

    assert kind_of(caught.value) == DATA
    assert str(tmp_path) in str(caught.value)


def test_samples_are_the_same_whatever_the_cache(shapes: Path, tmp_path: Path) -> None:
    data, samples = read_data_yaml(shapes), []
    hyp = Hyp(mosaic=0.5, mixup=0.5, degrees=10.0, flipud=0.3, hsv_h=0.05).as_dict()
    for cache in ("disk", "ram", "none"):
        policy, store = ImagePolicy(cache, str(tmp_path)), DataStore()
        images = store.images(data, "train", policy)
        bank = store.bank(data, "train", 64, augmented=True, policy=policy)
        dataset = YoloDataset(images, bank, image_size=64, batch_size=4, hyp=hyp)
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002  # YOLOv5's augmentation draws from the global stream
        samples.append([dataset[index] for index in range(len(dataset))])
    for others in samples[1:]:
        for (pixels, labels, _, _), (other_pixels, other_labels, _, _) in zip(samples[0], others, strict=True):
            assert torch.equal(pixels, other_pixels)
            assert torch.equal(labels, other_labels)
