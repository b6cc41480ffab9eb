"""Damaged raw data of every format, and damaged configurations, through the whole of `prepare`.

The readers' and the store's own tests damage each of them in more ways; here it is what a user would meet.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep.check import check
from data_prep.config import load_prepare_config
from data_prep.errors import InputError
from data_prep.prepare import prepare
from tests.data_prep.conftest import jpeg, write_archives, write_yolo
from tests.data_prep.readers import builders

DROP = "{unreadable_image: drop, unreadable_label: drop, image_without_label: drop, label_without_image: drop, \
unknown_class: drop, size_disagreement: drop, oversized_image: drop, class_conflict: drop}"
ROUNDS = 60
GARBAGE = (b"\x00", b"\xff\xfe", b"-1e999", b"[[[[", b"<!--", b'"', b"nan", b"\n\n", b"\x1b[2J")


def aihub(folder: Path) -> str:
    write_archives(folder / "raw")
    return "{reader: aihub, folder: raw}"


def yolo(folder: Path) -> str:
    write_yolo(folder / "raw", {"train": 8, "val": 4})
    return "{reader: yolo, data: raw/data.yaml}"


PICTURES = [
    builders.Picture(f"p_{number:02d}", (("pig", 4, 5, 24, 15), ("cow", number, 2, 60, 30)), 64, 36)
    for number in range(12)
]


def fill(images: Path) -> None:
    for number, path in enumerate(sorted(images.iterdir())):
        path.write_bytes(jpeg(shade=20 * number))


def coco(folder: Path) -> str:
    fill(builders.write_coco(folder / "raw", PICTURES, ("cow", "pig"))[1])
    return "{reader: coco, annotations: raw/instances.json, images: raw/images}"


def voc(folder: Path) -> str:
    fill(builders.write_voc(folder / "raw", PICTURES)[1])
    return "{reader: voc, annotations: raw/Annotations, images: raw/JPEGImages, classes: [cow, pig]}"


def csv(folder: Path) -> str:
    table, images = builders.write_table(folder / "raw", PICTURES)
    fill(images)
    return f"{{reader: csv, annotations: {table}, images: {images}, classes: [cow, pig]}}"


FORMATS = (aihub, yolo, coco, voc, csv)


def damage(content: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat or insert bytes."""
    data = bytearray(content)
    where = rng.randrange(len(data)) if data else 0
    match rng.randrange(5):
        case 0:
            for _ in range(rng.randint(1, 8)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 1:
            del data[where:]
        case 2:
            del data[where : where + rng.randint(1, 40)]
        case 3:
            data[where:where] = data[max(where - rng.randint(1, 60), 0) : where]
        case _:
            data[where:where] = rng.choice(
                (b"\x00", b"\xff\xfe", b"-1e999", b"[[[[", b"<!--", b'"', b"nan", b"\n\n", b"\x1b[2J")
            )
    return bytes(data)


def labels(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (folder / "labels" / "full").iterdir()}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("write", FORMATS)
def test_damaged_raw_data_ends_in_one_sentence_or_in_right_labels(tmp_path: Path, write: Callable[[Path], str]) -> None:
    (tmp_path / "set.yaml").write_text(f"source: {write(tmp_path)}\npolicies: {DROP}\n")
    config = load_prepare_config(tmp_path / "set.yaml")
    right = labels(prepare(config, tmp_path / "right").parent)
    rng = random.Random(5)
    files = sorted(path for path in (tmp_path / "raw").rglob("*") if path.is_file())
    messages, changed = [], 0
    for number in range(ROUNDS):
        victim = files[number % len(files)] if number < len(files) else rng.choice(files)
        whole = victim.read_bytes()
        victim.write_bytes(damage(whole, rng))
        touched = None if len(files) < 20 else victim.stem  # one file of many: the others' labels must stay
        try:
            found = labels(prepare(config, tmp_path / "set").parent)
            if touched:
                assert all(found[key] == right[key] for key in found if key != touched)
            changed += found != right
            shutil.rmtree(tmp_path / "set")
        except InputError as error:
            messages.append(str(error))
        victim.write_bytes(whole)
        assert {path.name for path in tmp_path.iterdir()} == {"raw", "right", "set.yaml"}
    assert all(message.isprintable() for message in messages)  # so each is one line
    assert ROUNDS / 4 < changed + len(messages) <= ROUNDS
    assert labels(prepare(config, tmp_path / "again").parent) == right


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("write", FORMATS)
def test_check_survives_whatever_prepare_does(tmp_path: Path, write: Callable[[Path], str]) -> None:
    (tmp_path / "set.yaml").write_text(f"source: {write(tmp_path)}\n")
    rng = random.Random(6)
    files = sorted(path for path in (tmp_path / "raw").rglob("*") if path.is_file())
    found, texts = [], []
    for _ in range(ROUNDS):
        victim = rng.choice(files)
        whole = victim.read_bytes()
        victim.write_bytes(damage(whole, rng))
        try:
            result = check(tmp_path / "set.yaml")
            found.append(result.sound)
            told = [finding.file + finding.detail for finding in result.findings]
            assert not any(str(tmp_path) in text for text in told)
            texts += told
        except InputError as error:
            texts.append(str(error))
        victim.write_bytes(whole)
    assert not all(found)
    assert all(text.isprintable() for text in texts)


CONFIG = """source:
  reader: yolo
  data: raw/data.yaml
keep_splits: false
valid_fraction: 0.25
seed: 7
stratify: [class, count, ratio, size]
count_bins: {cow: [2, 5]}
size_thresholds: [10, 20, 30, 40, 50]
groups:
  - {by: name, pattern: '(.*)'}
policies: {box_outside: drop}
limits: {image_pixels: 1000000}
link: copy
folds: 2
"""


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_damaged_configuration_ends_in_one_sentence_or_is_a_configuration(tmp_path: Path) -> None:
    yolo(tmp_path)
    rng = random.Random(7)
    messages = []
    for _ in range(400):
        (tmp_path / "set.yaml").write_bytes(damage(CONFIG.encode(), rng))
        try:
            load_prepare_config(tmp_path / "set.yaml")
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 200
    assert all(message.isprintable() and message.startswith(str(tmp_path / "set.yaml")) for message in messages)
