from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from data_prep.dataset import read_data_yaml
from data_prep.errors import WorkFailedError
from trainable.dataset import DataStore
from trainable.image_bank import ImageBank


def files(shapes: Path) -> list[str]:
    return sorted(str(path) for path in (shapes.parent / "images" / "train").iterdir())


def test_images_are_resized_as_yolov5_resizes_them(shapes: Path) -> None:
    name = files(shapes)[0]
    original = cv2.imread(name)

    for augmented, interpolation in ((True, cv2.INTER_LINEAR), (False, cv2.INTER_AREA)):
        pixels, before, after = ImageBank([name], 64, augmented=augmented, keep=False).load(0)
        assert (before, after) == (original.shape[:2], pixels.shape[:2])
        assert max(after) == 64
        np.testing.assert_array_equal(pixels, cv2.resize(original, after[::-1], interpolation=interpolation))


def test_a_filled_bank_reads_no_file_again(shapes: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a.png"
    copy.write_bytes(Path(files(shapes)[0]).read_bytes())
    kept, read = (ImageBank([str(copy)], 64, augmented=True, keep=keep) for keep in (True, False))
    kept.fill()
    read.fill()
    copy.unlink()

    assert kept.load(0)[0].shape[2] == 3
    with pytest.raises(WorkFailedError, match=r"a\.png"):
        read.load(0)


@pytest.mark.parametrize(("free", "kept"), [(10**9, True), (10**5, False)])
def test_what_does_not_fit_into_memory_is_not_kept(
    shapes: Path, monkeypatch: pytest.MonkeyPatch, free: int, kept: bool
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=free))

    bank = DataStore().bank(read_data_yaml(shapes), "train", 96, augmented=True, keep=True)

    assert (bank.load(0)[0] is bank.load(0)[0]) == kept
