from __future__ import annotations

import io
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from trainable.bank_check import CheckedImage, check_images
from trainable.bank_folder import CacheFolder

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def write(path: Path, **options: object) -> str:
    Image.fromarray(NOISE).save(path, **options)  # type: ignore[arg-type]  # options of the format
    return str(path)


def rewrite(file: str, content: bytes) -> None:
    """Other bytes of the same length under the same time: what no look at the folder can notice."""
    found = Path(file).stat()
    assert len(content) == found.st_size
    Path(file).write_bytes(content)
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp", "tif"])
def test_an_image_cut_in_the_middle_has_a_flaw_and_a_whole_one_its_size(tmp_path: Path, ending: str) -> None:
    whole, cut = write(tmp_path / f"whole.{ending}"), write(tmp_path / f"cut.{ending}")
    content = Path(cut).read_bytes()
    Path(cut).write_bytes(content[: len(content) // 2])

    sound, flawed = check_images([whole, cut])

    assert sound == CheckedImage(whole, 40, 60, None)
    assert flawed.flaw is not None
    assert Path(cut).stat().st_size == len(content) // 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_sizes_are_those_that_opencv_decodes_whatever_the_orientation(
    tmp_path: Path, orientation: int, ending: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = write(tmp_path / f"x.{ending}", exif=exif)

    (found,) = check_images([file])

    image = cv2.imread(file)
    if image is None:  # OpenCV 5.0 cannot read a TIFF that is to be turned
        assert ending == "tif"
        assert "OpenCV" in str(found.flaw)
    else:
        assert (found.height, found.width) == image.shape[:2]


def test_what_is_no_image_or_no_file_has_a_flaw(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_bytes(b"no image")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "fifo.jpg")  # to open it would be to wait for ever
    files = [str(tmp_path / f"{name}.jpg") for name in ("text", "folder", "fifo", "gone")]

    found = check_images(files)

    assert [image.file for image in found] == files
    assert all(image.flaw for image in found)


def test_the_result_is_remembered_until_a_file_or_the_manifest_changes(tmp_path: Path) -> None:
    file, folder = write(tmp_path / "x.bmp"), CacheFolder(tmp_path / "cache")
    first = check_images([file], "", folder)
    rewrite(file, b"x" * Path(file).stat().st_size)

    assert check_images([file], "", folder) == first
    assert check_images([file], "another", folder)[0].flaw is not None
    Path(file).write_bytes(b"xx")
    assert check_images([file], "", folder)[0].flaw is not None


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[[40, 60", b"[]", b'[["40", 60, null]]', b"[[40, 60]]", b"7", b"\xff", b"[" * 100_000,
        b"[[0, 0, null]]", b"[[-40, -60, null]]", b"[[1" + b"0" * 30 + b", 60, null]]", b"[[true, true, null]]",
        b'[[40, 60, "a flaw and a size"]]',
    ],
    ids=lambda content: content[:24],
)  # fmt: skip
def test_a_damaged_memory_is_not_trusted(tmp_path: Path, content: bytes) -> None:
    file, folder = write(tmp_path / "x.bmp"), CacheFolder(tmp_path / "cache")
    first = check_images([file], "", folder)
    (memory,) = folder.path.glob("*.checks.json")
    memory.write_bytes(content)

    assert check_images([file], "", folder) == first
    assert memory.read_bytes() != content


def test_a_pipe_in_the_place_of_the_memory_is_not_waited_for(tmp_path: Path) -> None:
    file, folder = write(tmp_path / "x.bmp"), CacheFolder(tmp_path / "cache")
    first = check_images([file], "", folder)
    (memory,) = folder.path.glob("*.checks.json")
    memory.unlink()
    os.mkfifo(memory)

    assert check_images([file], "", folder) == first
    assert memory.is_file()


def test_a_remembered_flaw_reaches_no_terminal_unescaped(tmp_path: Path) -> None:
    file, folder = write(tmp_path / "x.bmp"), CacheFolder(tmp_path / "cache")
    check_images([file], "", folder)
    (memory,) = folder.path.glob("*.checks.json")
    memory.write_text(json.dumps([[0, 0, "a\x1b[31m\nflaw"]]))

    (found,) = check_images([file], "", folder)

    assert found.flaw == r"a\x1b[31m\nflaw"


def test_a_file_that_cannot_be_read_now_is_looked_at_again_later(tmp_path: Path) -> None:
    file, folder = str(tmp_path / "x.bmp"), CacheFolder(tmp_path / "cache")

    assert check_images([file], "", folder)[0].flaw is not None
    assert not list(folder.path.glob("*.checks.json"))


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write(tmp_path / "x.bmp")

    found = check_images([file], "", CacheFolder(Path(file, "cache")))

    assert found[0].flaw is None
    assert "x.bmp/cache" in caplog.text


def test_nothing_is_printed_about_broken_images(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, "PNG")
    (tmp_path / "x.png").write_bytes(buffer.getvalue()[:-30])
    Image.fromarray(NOISE).save(tmp_path / "x.jpg")
    (tmp_path / "x.jpg").write_bytes((tmp_path / "x.jpg").read_bytes()[:-9])

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(NOISE).save(tmp_path / "x.tif", exif=exif)

    check_images([str(tmp_path / f"x.{ending}") for ending in ("png", "jpg", "tif")])

    assert capfd.readouterr() == ("", "")
