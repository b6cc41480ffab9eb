from __future__ import annotations

import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from data_prep.dataset import read_data_yaml
from data_prep.errors import DataMissingError, ImageError
from trainable.bank_check import CheckedImage, check_images
from trainable.dataset import DataStore
from trainable.labels import read_labels
from trainable.yolov5_parts import LoadImagesAndLabels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for index in range(3):
        cv2.imwrite(str(tmp_path / "images" / f"{index}.jpg"), np.full((40, 60, 3), 90 * index, np.uint8))
        (tmp_path / "labels" / f"{index}.txt").write_text("0 0.5 0.5 0.2 0.3\n")
    return tmp_path


def images(folder: Path) -> list[CheckedImage]:
    return check_images([str(path) for path in (folder / "images").iterdir()])


@pytest.mark.timeout(60)
def test_labels_equal_yolov5s_own_reading(shapes: Path) -> None:
    data = read_data_yaml(shapes)
    theirs = LoadImagesAndLabels(str(shapes.parent / "images" / "train"), 64, 8, workers=0)

    ours = DataStore().images(data, "train")

    assert list(ours.files) == theirs.im_files
    for mine, stock in zip(ours.labels, theirs.labels, strict=True):
        np.testing.assert_array_equal(mine, stock)
    np.testing.assert_array_equal(ours.shapes, theirs.shapes)


def test_polygons_become_boxes_and_duplicates_go(folder: Path) -> None:
    (folder / "labels" / "0.txt").write_text("1 0.1 0.2 0.5 0.2 0.5 0.6 0.1 0.6\n")
    (folder / "labels" / "1.txt").write_text("0 0.5 0.5 0.2 0.3\n0 0.5 0.5 0.2 0.3\n")

    found = read_labels(images(folder), 2)

    np.testing.assert_allclose(found.labels[0], [[1, 0.3, 0.4, 0.4, 0.4]], rtol=1e-6)
    assert found.segments[0][0].shape == (4, 2)
    assert len(found.labels[1]) == 1


@pytest.mark.parametrize(
    "label",
    [
        "0 0.5 0.5 0.2\n",
        "0 1.5 0.5 0.2 0.3\n",
        "0 -0.5 0.5 0.2 0.3\n",
        "0 nan 0.5 0.2 0.3\n",
        "pig 1 1 1 1\n",
        "inf 0.5 0.5 0.2 0.3\n",
    ],
)
def test_an_image_with_a_broken_label_is_left_out_by_name(folder: Path, label: str) -> None:
    (folder / "labels" / "1.txt").write_text(label)

    found = read_labels(images(folder), 1)

    assert [Path(file).name for file in found.files] == ["0.jpg", "2.jpg"]
    assert "1.jpg" in found.skipped[0]


def test_broken_images_are_left_out_and_not_touched(folder: Path) -> None:
    (folder / "images" / "1.jpg").write_bytes(b"no image")
    truncated = folder / "images" / "2.jpg"
    truncated.write_bytes(truncated.read_bytes()[:-2])
    before = truncated.read_bytes()

    found = read_labels(images(folder), 1)

    assert [Path(file).name for file in found.files] == ["0.jpg"]
    assert ["1.jpg" in found.skipped[0], "2.jpg" in found.skipped[1]] == [True, True]
    assert len(found.labels) == len(found.segments) == len(found.shapes) == len(found.sizes) == 1
    assert truncated.read_bytes() == before


@pytest.mark.parametrize("broken", ["images/1.jpg", "labels/1.txt"])
def test_a_broken_image_or_label_can_be_made_to_fail(folder: Path, broken: str) -> None:
    (folder / broken).write_bytes(b"no such thing")
    (folder / "images" / "2.jpg").write_bytes(b"")

    with pytest.raises(ImageError, match=r"images/1\.jpg: .* \(and 1 more\); .*broken_images"):
        read_labels(images(folder), 1, skip_broken=False)


def test_a_file_that_is_another_format_by_its_content_is_left_out_as_yolov5_does(folder: Path) -> None:
    Image.new("RGB", (40, 40)).save(folder / "images" / "1.jpg", "GIF")

    found = read_labels(images(folder), 1)

    assert "1.jpg" in found.skipped[0]
    assert "by its content" in found.skipped[0]


def test_a_decompression_bomb_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.imwrite(str(folder / "images" / "1.jpg"), np.zeros((100, 100, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 60)

    found = read_labels(images(folder), 1)

    assert "1.jpg" in found.skipped[0]


def test_an_unknown_class_names_the_label_file(folder: Path) -> None:
    (folder / "labels" / "2.txt").write_text("7 0.5 0.5 0.2 0.3\n")

    with pytest.raises(DataMissingError, match=r"2\.txt.*class 7"):  # which ends a sweep at once
        read_labels(images(folder), 2)


def test_a_file_name_reaches_no_terminal_unescaped(folder: Path) -> None:
    (folder / "images" / "a\x1b[31m\nb.jpg").write_bytes(b"no image")

    (sentence,) = read_labels(images(folder), 1).skipped

    assert r"a\x1b[31m\nb.jpg: left out" in sentence
    assert sentence.isprintable()


def test_nothing_usable_is_an_error(folder: Path) -> None:
    for image in (folder / "images").iterdir():
        image.write_bytes(b"")

    with pytest.raises(DataMissingError, match="no image can be used"):
        read_labels(images(folder), 1)


def test_a_planted_labels_cache_runs_nothing(folder: Path) -> None:
    sign = folder / "ran"

    class Gadget:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {sign}",)

    for name in ("labels.cache", "labels/labels.cache"):
        (folder / name).write_bytes(pickle.dumps(Gadget()))

    read_labels(images(folder), 1)

    assert not sign.exists()
