from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from data_prep.config import PrepareConfig
from data_prep.errors import InputError
from data_prep.explore import explore
from data_prep.export import LinkMode
from data_prep.prepare import prepare
from data_prep.readers import YoloReader
from tests.data_prep.conftest import write_yolo

pytestmark = pytest.mark.timeout(30)  # plots are drawn


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_yolo(tmp_path / "my pigs", {"train": 6, "val": 2})


def test_data_set_is_shown_with_its_splits_in_a_folder_of_its_name(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stages = set()
    page, summary = explore(data, progress=lambda stage, done, total: stages.add(stage))
    assert page == tmp_path / "eda" / "my pigs" / "eda.html"
    assert page.is_file()
    assert (summary.title, summary.images, summary.boxes) == ("my pigs", 8, 8)
    assert list(summary.splits) == ["train", "valid"]
    assert stages == {"read", "look", "draw"}


def test_raw_data_is_shown_without_splits(data: Path, tmp_path: Path) -> None:
    (tmp_path / "raw.yaml").write_text(f"source: {{reader: yolo, data: '{data}'}}\nratio_threshold: 0.9\n")
    _, summary = explore(tmp_path / "raw.yaml", tmp_path / "page")
    assert (summary.title, summary.images, list(summary.splits)) == ("raw", 8, [])


def test_links_that_lead_nowhere_leave_a_page_without_pictures(data: Path, tmp_path: Path) -> None:
    config = PrepareConfig(source=YoloReader(data=data), link=LinkMode.SYMLINK)
    folder = prepare(config, tmp_path / "set").parent
    shutil.rmtree(data.parent)
    page, summary = explore(folder, tmp_path / "page")
    assert summary.images == 0
    assert "unreadable_image" in page.read_text()


def test_what_is_no_data_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        explore(tmp_path / "nowhere", tmp_path / "page")
    assert list(tmp_path.iterdir()) == []
