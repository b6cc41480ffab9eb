"""Real data that readers are held against."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import SHARED


def _shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not on this machine: tests on real data need shared/data beside the repository")
    return path


@pytest.fixture(scope="session")
def bccd() -> Path:
    """Blood cells in Pascal VOC."""
    return _shared("bccd")


@pytest.fixture(scope="session")
def answer_csv() -> Path:
    """The competition's answers, a box table."""
    return _shared("aispark/answer.csv")
