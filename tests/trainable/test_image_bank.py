from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from data_prep.errors import WorkFailedError
from tests.trainable.bank_builder import content_of
from trainable import bank_folder
from trainable.bank_build import BankContent
from trainable.bank_folder import disk_folder, memory_folder
from trainable.image_bank import ImageBank, ImagePolicy, open_bank

CACHES = ("disk", "ram", "none")


@pytest.fixture
def content(shapes: Path) -> BankContent:
    return content_of(sorted(str(path) for path in (shapes.parent / "images" / "train").iterdir()), 64)


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(("augmented", "interpolation"), [(True, cv2.INTER_LINEAR), (False, cv2.INTER_AREA)])
def test_images_are_resized_as_yolov5_resizes_them(
    content: BankContent, tmp_path: Path, cache: str, augmented: bool, interpolation: int
) -> None:
    bank = open_bank(replace(content, augmented=augmented), ImagePolicy(cache, str(tmp_path)))

    assert len(bank) == len(content.files)
    for index, file in enumerate(content.files):
        original = cv2.imread(file)
        pixels, before, after = bank.load(index)
        assert (before, after) == (original.shape[:2], pixels.shape[:2])
        assert max(after) == 64
        np.testing.assert_array_equal(pixels, cv2.resize(original, after[::-1], interpolation=interpolation))


def test_the_whole_bank_is_one_array(content: BankContent, tmp_path: Path) -> None:
    bank = open_bank(content, ImagePolicy("disk", str(tmp_path)))

    assert bank.flat is not None
    for index in range(len(bank)):
        pixels, original, (height, width) = bank.load(index)
        assert (height, width) == tuple(bank.sizes[index])
        assert original == tuple(bank.original_sizes[index])
        begin = bank.offsets[index]
        np.testing.assert_array_equal(bank.flat[begin : begin + 3 * height * width].reshape(height, width, 3), pixels)
        assert np.shares_memory(pixels, bank.flat)
    assert bank.flat.shape == (int(3 * bank.sizes.prod(axis=1).sum()),)
    assert open_bank(content, ImagePolicy("none")).flat is None


def test_nobody_can_write_into_the_bank(content: BankContent, tmp_path: Path) -> None:
    pixels = open_bank(content, ImagePolicy("disk", str(tmp_path))).load(0)[0]

    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0, 0] = 1
    with pytest.raises(cv2.error):
        cv2.circle(pixels, (3, 3), 2, (0, 0, 0))


@pytest.mark.parametrize("cache", CACHES)
def test_where_the_file_lies(content: BankContent, tmp_path: Path, cache: str) -> None:
    before = set(memory_folder().path.glob("*.bank"))

    open_bank(replace(content, manifest=str(tmp_path)), ImagePolicy(cache, str(tmp_path)))

    assert len(list(tmp_path.glob("*.bank"))) == (cache == "disk")
    assert len(set(memory_folder().path.glob("*.bank")) - before) == (cache == "ram")


def test_ram_is_the_nodes_shared_memory(content: BankContent, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        monkeypatch.setattr(bank_folder, "SHARED_MEMORY", Path(folder))
        bank = open_bank(content, ImagePolicy("ram", "/dev/null/cache"))
        (path,) = Path(folder).glob("hypsweep-*/*.bank")

    assert bank.flat is not None
    assert path.parent.name == f"hypsweep-{os.getuid()}"
    np.testing.assert_array_equal(bank.load(2)[0], ImageBank(content).load(2)[0])


def test_a_kept_image_is_not_read_again_and_another_is_named_when_it_is_gone(shapes: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a.png"
    copy.write_bytes(next((shapes.parent / "images" / "train").iterdir()).read_bytes())
    content = content_of([str(copy)], 64)
    kept, read = (open_bank(content, ImagePolicy(cache, str(tmp_path))) for cache in ("disk", "none"))
    copy.unlink()

    assert kept.load(0)[0].shape[2] == 3
    with pytest.raises(WorkFailedError, match=r"a\.png"):
        read.load(0)


@pytest.mark.parametrize("cache", ["disk", "ram"])
def test_a_pickled_bank_maps_the_same_file(content: BankContent, tmp_path: Path, cache: str) -> None:
    bank = open_bank(replace(content, image_size=200), ImagePolicy(cache, str(tmp_path)))
    assert bank.flat is not None

    pickled = pickle.dumps(bank)
    again = pickle.loads(pickled)

    assert len(pickled) < 0.01 * bank.flat.nbytes
    np.testing.assert_array_equal(again.flat, bank.flat)
    assert not again.flat.flags.writeable


def test_another_process_unpickles_it(content: BankContent, tmp_path: Path) -> None:
    bank = open_bank(content, ImagePolicy("disk", str(tmp_path)))
    assert bank.flat is not None
    program = "import pickle, sys; print(int(pickle.load(sys.stdin.buffer).flat.sum()))"

    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(bank), capture_output=True, check=True)

    assert int(done.stdout) == int(bank.flat.sum())


class Sums:
    """A data set as DataLoader wants it."""

    def __init__(self, bank: ImageBank) -> None:
        self.bank = bank

    def __len__(self) -> int:
        return len(self.bank)

    def __getitem__(self, index: int) -> int:
        return int(self.bank.load(index)[0].sum())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("cache", CACHES)
def test_worker_processes_of_a_loader_read_it(content: BankContent, tmp_path: Path, cache: str) -> None:
    sums = Sums(open_bank(content, ImagePolicy(cache, str(tmp_path))))

    found = [int(value) for batch in DataLoader(sums, batch_size=5, num_workers=2) for value in batch]

    assert found == [sums[index] for index in range(len(sums))]


def test_without_room_on_disk_memory_is_taken_with_one_warning(
    content: BankContent, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()

    bank = open_bank(content, ImagePolicy("disk", str(tmp_path / "file" / "cache")))

    assert bank.flat is not None
    assert [str(memory_folder().path) in record.message for record in caplog.records] == [True]


def test_without_memory_the_disk_is_taken_with_one_warning(
    content: BankContent, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_folder, "SHARED_MEMORY", Path("/dev/null"))

    bank = open_bank(content, ImagePolicy("ram", str(tmp_path)))

    assert bank.flat is not None
    assert [str(tmp_path) in record.message for record in caplog.records] == [True]


def test_without_any_room_images_are_decoded_each_time_with_one_warning(
    content: BankContent, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_folder, "SHARED_MEMORY", Path("/dev/null"))

    bank = open_bank(content, ImagePolicy("disk", "/dev/null/cache"))

    assert bank.flat is None
    np.testing.assert_array_equal(bank.load(3)[0], open_bank(content, ImagePolicy("none")).load(3)[0])
    assert ["decoded anew each time" in record.message for record in caplog.records] == [True]


def test_without_a_home_the_default_folder_is_a_warning(
    content: BankContent, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_folder, "SHARED_MEMORY", Path("/dev/null"))
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", _nobody)

    assert open_bank(content, ImagePolicy("disk")).flat is None
    with pytest.raises(OSError, match="home"):
        disk_folder(None)


def _nobody(uid: int) -> None:
    raise KeyError(uid)
