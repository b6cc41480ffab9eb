from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.errors import WorkFailedError
from tests.trainable.bank_builder import content_of
from trainable.bank_build import BankContent, obtain
from trainable.bank_decode import decode
from trainable.bank_file import header, lay_out_bank, map_bank
from trainable.bank_folder import CacheFolder

BUILDER = [sys.executable, "-m", "tests.trainable.bank_builder"]


def draw(folder: Path, count: int, side: int = 96) -> list[str]:
    generator = np.random.default_rng(count)
    files = [str(folder / f"{index}.png") for index in range(count)]
    for index, file in enumerate(files):
        cv2.imwrite(file, generator.integers(0, 256, (side, side // 2 + 8 * index, 3), np.uint8))
    return files


def banks(folder: Path) -> list[Path]:
    return list(folder.glob("*.bank"))


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.suffix != ".bank" and path.name != "hypsweep.lock"]


def same_as_decoded(content: BankContent, pixels: np.ndarray) -> None:
    for index, file in enumerate(content.files):
        expected = decode(file, content.image_size, content.layout.original(index), augmented=content.augmented)
        begin = content.layout.offsets[index]
        found = pixels[begin : begin + expected.size].reshape(content.layout.shape(index))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("augmented", [True, False])
@pytest.mark.parametrize("image_size", [64, 96, 160])
def test_every_pixel_is_what_decoding_gives(tmp_path: Path, image_size: int, augmented: bool) -> None:
    content = content_of(draw(tmp_path, 5), image_size, augmented=augmented)

    same_as_decoded(content, obtain(content, CacheFolder(tmp_path / "cache"), threads=2).pixels)


def start(folder: Path, files: Sequence[str], *options: str, size: int = 64) -> subprocess.Popen[str]:
    command = [*BUILDER, str(folder), str(size), *options, *files]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_ten_processes_at_once_build_once(tmp_path: Path) -> None:
    files = draw(tmp_path, 4) * 25

    outputs = [process.communicate()[0] for process in [start(tmp_path / "cache", files) for _ in range(10)]]

    assert sum("built in" in output for output in outputs) == 1
    assert len({output.splitlines()[-1] for output in outputs}) == 1
    assert all("mapped" in output for output in outputs)
    assert len(banks(tmp_path / "cache")) == 1
    assert leftovers(tmp_path / "cache") == []


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_builder_killed_at_any_moment_leaves_nothing_that_is_taken_for_a_bank(tmp_path: Path) -> None:
    files, folder, generator = draw(tmp_path, 2, side=800) * 100, tmp_path / "cache", random.Random(0)
    content, halves, longest = content_of(files, 640), 0, 0.4
    for _ in range(20):
        victim = start(folder, files, size=640)
        while not list(folder.glob("*.draft")):
            assert victim.poll() is None
            time.sleep(0.002)
        time.sleep(generator.uniform(0, longest))
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
        assert victim.returncode == -signal.SIGKILL or banks(folder)
        if finished := banks(folder):  # a fast machine; the next is killed sooner
            same_as_decoded(content, obtain(content, CacheFolder(folder)).pixels)
            finished[0].unlink()
            longest /= 2
        else:
            halves += bool(list(folder.glob("*.draft")))
        if halves == 5:
            break
    assert halves == 5

    bank = obtain(content, CacheFolder(folder))  # would wait for ever if a dead process kept the lock

    same_as_decoded(content, bank.pixels)
    assert leftovers(folder) == []


@pytest.mark.timeout(30)
def test_a_full_disk_is_noticed_before_the_work_and_leaves_nothing(tmp_path: Path) -> None:
    process = start(tmp_path / "cache", draw(tmp_path, 8), "--most-bytes", "40000")

    output = process.communicate()[0]

    assert process.returncode == 1  # neither SIGBUS nor SIGXFSZ
    assert "File too large" in output
    assert banks(tmp_path / "cache") == []
    assert leftovers(tmp_path / "cache") == []


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("copies", "fits"), [(2, True), (40, False)])
def test_a_small_disk_takes_what_fits_and_keeps_nothing_of_the_rest(tmp_path: Path, copies: int, fits: bool) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = 'mount -t tmpfs -o size=300k tmpfs "$0" && '
    if subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount + "true", disk], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine lends no mounts to tests (unshare -rm, mount -t tmpfs)")
    command = ["unshare", "-rm", "sh", "-c", mount + '"$@"; ls -A "$0/cache"', disk, *BUILDER, disk / "cache", "64"]

    done = subprocess.run([*command, *draw(tmp_path, 1) * copies], capture_output=True, text=True, check=False)

    assert ("mapped" in done.stdout) == fits
    assert ("banks may take" in done.stderr) != fits
    assert (".bank" in done.stdout) == fits
    assert ".draft" not in done.stdout


def test_a_bank_larger_than_half_of_the_free_space_is_refused_unwritten(tmp_path: Path) -> None:
    files = draw(tmp_path, 1, side=64)  # 64 x 32
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    side = int((2 * free / 1.5) ** 0.5)  # a bank of twice the free space

    with pytest.raises(OSError, match="banks may take"):
        obtain(content_of(files, side), CacheFolder(tmp_path / "cache"))

    assert leftovers(tmp_path / "cache") == []


def test_a_bank_is_built_anew_when_it_was_cut(tmp_path: Path) -> None:
    content, folder = content_of(draw(tmp_path, 3), 64), CacheFolder(tmp_path / "cache")
    obtain(content, folder)
    (path,) = banks(folder.path)
    os.truncate(path, path.stat().st_size - 1)

    same_as_decoded(content, obtain(content, folder).pixels)


def test_a_bank_without_the_pixels_of_its_name_is_built_anew(tmp_path: Path) -> None:
    content, folder = content_of(draw(tmp_path, 3), 64), CacheFolder(tmp_path / "cache")
    obtain(content, folder)
    (path,) = banks(folder.path)
    key = path.name.removesuffix(".bank")
    path.write_bytes(header(key, lay_out_bank([(8, 8)], 8)).ljust(4096, b"\0") + bytes(8 * 8 * 3))
    assert map_bank(path, key) is not None  # whole by all that its file says

    same_as_decoded(content, obtain(content, folder).pixels)


def test_a_warm_bank_is_mapped_as_it_is(tmp_path: Path) -> None:
    content, folder = content_of(draw(tmp_path, 3), 64), CacheFolder(tmp_path / "cache")
    obtain(content, folder)
    inode = banks(folder.path)[0].stat().st_ino

    obtain(content, folder)

    assert [path.stat().st_ino for path in banks(folder.path)] == [inode]


@pytest.mark.parametrize("what", ["picture", "time", "manifest", "size", "interpolation", "list"])
def test_another_bank_is_built_for_whatever_the_pixels_depend_on(tmp_path: Path, what: str) -> None:
    files, folder = draw(tmp_path, 3), CacheFolder(tmp_path / "cache")
    obtain(content_of(files, 64), folder)
    if what == "picture":
        cv2.imwrite(files[1], np.zeros((30, 40, 3), np.uint8))
    if what == "time":
        os.utime(files[1], ns=(0, Path(files[1]).stat().st_mtime_ns + 1))
    content = content_of(
        files[1:] if what == "list" else files, 96 if what == "size" else 64,
        augmented=what != "interpolation", manifest="new" if what == "manifest" else "",
    )  # fmt: skip

    bank = obtain(content, folder)

    same_as_decoded(content, bank.pixels)
    assert len(banks(folder.path)) == 2


def test_an_image_that_changed_since_it_was_checked_is_named(tmp_path: Path) -> None:
    files, folder = draw(tmp_path, 3), tmp_path / "cache"
    content = content_of(files, 64)
    cv2.imwrite(files[1], np.zeros((30, 40, 3), np.uint8))

    with pytest.raises(WorkFailedError, match=r"1\.png"):
        obtain(content, CacheFolder(folder))

    assert banks(folder) == []
    assert leftovers(folder) == []


def test_room_is_made_by_evicting_old_banks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, folder = draw(tmp_path, 3), CacheFolder(tmp_path / "cache")
    size = sum(path.stat().st_size for path in _built(files, folder, 64))
    monkeypatch.setattr(CacheFolder, "free", lambda folder: 5 * size - sum(map(_size, banks(folder.path))))

    for image_size in range(65, 71):  # each about as large as the first
        newest = _built(files, folder, image_size)
        assert set(newest) <= set(banks(folder.path))
        assert sum(map(_size, banks(folder.path))) <= 2.5 * size


def _built(files: list[str], folder: CacheFolder, image_size: int) -> list[Path]:
    before = set(banks(folder.path)) if folder.path.exists() else set()
    obtain(content_of(files, image_size), folder)
    return [path for path in banks(folder.path) if path not in before]


def _size(path: Path) -> int:
    return path.stat().st_size
