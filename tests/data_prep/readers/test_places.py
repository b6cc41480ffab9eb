"""Every path of every reader, pointed to what is no file or folder of the kind: one sentence, never a traceback."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep.errors import InputError
from data_prep.readers import AihubReader, CocoReader, CsvReader, ImagesReader, Reader, VocReader, YoloReader
from tests.data_prep.readers import builders
from tests.data_prep.readers.builders import PICTURES, read

#: A reader whose settings are right but for one path.
READERS: dict[str, Callable[[Path, Path], Reader]] = {
    "aihub folder": lambda good, bad: AihubReader(folder=bad),
    "coco annotations": lambda good, bad: CocoReader(annotations=bad, images=good / "images"),
    "coco images": lambda good, bad: CocoReader(annotations=good / "instances.json", images=bad),
    "csv annotations": lambda good, bad: CsvReader(annotations=bad, images=good / "images"),
    "csv images": lambda good, bad: CsvReader(annotations=good / "boxes.csv", images=bad),
    "images": lambda good, bad: ImagesReader(images=bad),
    "voc annotations": lambda good, bad: VocReader(annotations=bad, images=good / "JPEGImages"),
    "voc images": lambda good, bad: VocReader(annotations=good / "Annotations", images=bad),
    "voc image_sets": lambda good, bad: VocReader(
        annotations=good / "Annotations", images=good / "JPEGImages", image_sets=bad
    ),
    "yolo data": lambda good, bad: YoloReader(data=bad),
}


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "fifo")
    return folder / "fifo"


def _loop(folder: Path) -> Path:
    (folder / "loop").mkdir()
    (folder / "loop" / "train.txt").symlink_to("train.txt")
    (folder / "loop" / "a.jpg").symlink_to("a.jpg")
    return folder / "loop"


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _noise(folder: Path) -> Path:
    (folder / "noise").write_bytes(bytes(range(256)))
    return folder / "noise"


PLACES: dict[str, Callable[[Path], Path]] = {
    "missing": lambda folder: folder / "nowhere",
    "below a file": lambda folder: _noise(folder) / "a",
    "a name of 5000 letters": lambda folder: folder / ("a" * 5000),
    "a path of 10000 letters": lambda folder: folder / ("a/" * 5000),
    "an empty folder": _empty,
    "noise": _noise,
    "an empty file": lambda folder: folder / "nothing",
    "a device": lambda folder: Path("/dev/zero"),
    "a FIFO": _fifo,
    "a folder of links to themselves": _loop,
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    builders.write_coco(folder, PICTURES, ("pig", "cow"))
    builders.write_table(folder, PICTURES)
    builders.write_voc(folder, PICTURES)
    return folder


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", READERS)
def test_a_place_that_is_none_is_named(name: str, place: str, good: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").touch()
    reader = READERS[name](good, PLACES[place](tmp_path))
    try:
        raw = read(reader)
    except InputError as error:
        message = str(error)
    else:  # the place can be read, and what is in it is not what was looked for, or is the checks' to look at
        assert builders.kinds(raw) or name == "images"
        return
    assert message.isprintable()
    assert len(message) > 30
