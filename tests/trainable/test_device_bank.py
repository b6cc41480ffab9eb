"""The images in a device's memory; the device is the CPU here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data_prep.dataset import read_data_yaml
from trainable import device_bank as module
from trainable.dataset import DataStore
from trainable.device_bank import device_bank, put_on_device
from trainable.image_bank import ImageBank, ImagePolicy

CPU = torch.device("cpu")


def bank_of(shapes: Path, cache: str) -> ImageBank:
    policy = ImagePolicy(cache=cache)
    return DataStore().bank(read_data_yaml(shapes), "train", 64, augmented=True, policy=policy)


@pytest.mark.parametrize("part_bytes", [1 << 28, 10_000, 4096])
def test_it_holds_every_image(shapes: Path, part_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_BYTES", part_bytes)
    bank = bank_of(shapes, "disk")
    assert bank.flat is not None

    moved = device_bank(bank, bank.flat, CPU)

    assert moved.pixels.dtype == torch.uint8
    assert len(moved.pixels) == len(bank.flat) > 20_000
    for index in range(len(bank)):
        pixels, _, (height, width) = bank.load(index)
        start = moved.offsets[index]
        found = moved.pixels[start : start + 3 * height * width].view(height, width, 3)
        np.testing.assert_array_equal(found.numpy(), pixels)
        assert moved.widths[index] == width


def test_it_is_a_copy(shapes: Path) -> None:
    bank = bank_of(shapes, "disk")
    assert bank.flat is not None
    before = bank.flat.copy()

    device_bank(bank, bank.flat, CPU).pixels.zero_()  # a write to the shared file would end the process

    np.testing.assert_array_equal(bank.flat, before)


def test_a_cpu_keeps_none(shapes: Path) -> None:
    assert put_on_device(bank_of(shapes, "disk"), CPU) is None


def test_images_that_are_decoded_each_time_stay_where_they_are(shapes: Path) -> None:
    assert put_on_device(bank_of(shapes, "none"), torch.device("cuda")) is None


@pytest.mark.parametrize(("free", "fits"), [(4, True), (3, False)])
def test_a_gpu_takes_what_is_a_quarter_of_its_free_memory(
    shapes: Path, free: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = bank_of(shapes, "disk")
    assert bank.flat is not None
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free * bank.flat.nbytes, 10**12))
    monkeypatch.setattr(module, "device_bank", lambda *_: "moved")

    assert (put_on_device(bank, torch.device("cuda")) == "moved") == fits
