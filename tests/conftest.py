"""Fixtures that every room's tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shapes import draw_shapes
from trainable import bank_folder

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True, scope="session")
def own_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's caches, in memory or on disk, nor does a process that it starts on disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(bank_folder, "SHARED_MEMORY", tmp_path_factory.mktemp("memory"))
        yield


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny YOLO data set of discs and squares (24 train, 12 val images); the path of its data.yaml."""
    return draw_shapes(tmp_path_factory.mktemp("shapes"), train=24, val=12, seed=7)


@pytest.fixture(scope="session")
def livestock() -> Path:
    """The data.yaml of livestock_a, real pictures of cows and pigs."""
    path = SHARED / "livestock_a" / "data.yaml"
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine: tests on real pictures need shared/data beside the repository")
    return path


@pytest.fixture(scope="session")
def yolov5n_weights() -> Path:
    """Official pretrained yolov5n weights (COCO), a pickled model."""
    path = SHARED / "weights" / "yolov5n.pt"
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine: tests on official weights need shared/data beside the repository")
    return path
