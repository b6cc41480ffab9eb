from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from data_prep.eda import PAGE_NAME, EdaSummary, write_eda
from data_prep.errors import InputError
from data_prep.findings import Finding
from data_prep.records import Box, ImageRecord, Source
from tests.data_prep.conftest import contents
from tests.data_prep.eda.conftest import NAMES, STRATIFICATION, record

TABLES = {"images.parquet", "boxes.parquet", "findings.parquet"}


@pytest.fixture
def write(
    tmp_path: Path, records: list[ImageRecord], findings: list[Finding], read: Callable[[Source], bytes]
) -> Callable[..., EdaSummary]:
    def run(out: Path = tmp_path / "eda", **options: object) -> EdaSummary:
        settings: dict[str, object] = {
            "title": "herd", "splits": {"train": records}, "stratification": STRATIFICATION, "read": read
        }  # fmt: skip
        return write_eda(records, NAMES, findings, out, **(settings | options))

    return run


def test_the_folder_holds_the_page_and_the_tables(write: Callable[..., EdaSummary], tmp_path: Path) -> None:
    assert write().boxes == 7
    assert set(contents(tmp_path)) == {f"eda/{name}" for name in (PAGE_NAME, *TABLES)}
    boxes = pd.read_parquet(tmp_path / "eda" / "boxes.parquet")
    assert boxes.groupby("class")["area"].sum().to_dict() == {"pig": 41_300.0, "cow": 96_900.0}
    assert len(pd.read_parquet(tmp_path / "eda" / "images.parquet")) == 5
    assert len(pd.read_parquet(tmp_path / "eda" / "findings.parquet")) == 4


def test_plots_are_png_files_on_request(write: Callable[..., EdaSummary], tmp_path: Path) -> None:
    write(plots=True)
    plots = {name: content for name, content in contents(tmp_path / "eda").items() if name.startswith("plots/")}
    assert {"plots/ratio-0.png", "plots/ratio-1.png", "plots/places.png", "plots/sizes.png"} <= set(plots)
    assert all(Image.open(io.BytesIO(content)).format == "PNG" for content in plots.values())
    write()  # and they vanish with the EDA that they belong to
    assert not (tmp_path / "eda" / "plots").exists()


def test_the_same_data_in_another_order_makes_the_same_bytes(
    tmp_path: Path, records: list[ImageRecord], findings: list[Finding], read: Callable[[Source], bytes]
) -> None:
    for name, order in (("one", 1), ("two", -1)):
        write_eda(records[::order], NAMES, findings[::order], tmp_path / name, title="t", read=read, plots=True)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_another_seed_chooses_other_pictures(tmp_path: Path, read: Callable[[Source], bytes]) -> None:
    records = [record(f"p{index}", Box(0, 0, 0, 9, 9)) for index in range(50)]
    for seed in (0, 1):
        write_eda(records, NAMES, [], tmp_path / str(seed), title="t", read=read, seed=seed)
    one, two = (contents(tmp_path / str(seed)) for seed in (0, 1))
    assert one[PAGE_NAME] != two[PAGE_NAME]
    assert one["boxes.parquet"] == two["boxes.parquet"]


def test_an_older_eda_is_replaced(write: Callable[..., EdaSummary], tmp_path: Path) -> None:
    write(title="older")
    write(title="newer")
    assert b"newer" in (tmp_path / "eda" / PAGE_NAME).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["eda"]


def test_an_empty_folder_and_missing_parents_are_fine(write: Callable[..., EdaSummary], tmp_path: Path) -> None:
    (tmp_path / "eda").mkdir()
    write()
    write(tmp_path / "deep" / "down")
    assert (tmp_path / "deep" / "down" / PAGE_NAME).is_file()


@pytest.mark.parametrize("name", ["notes.txt", PAGE_NAME, "boxes.parquet", "plots"])
def test_a_folder_with_other_things_is_refused_and_left_alone(
    write: Callable[..., EdaSummary], tmp_path: Path, name: str
) -> None:
    (tmp_path / "eda").mkdir()
    (tmp_path / "eda" / name).write_text("mine")
    with pytest.raises(InputError, match=r"eda holds .* name a folder that is new or holds an EDA"):
        write()
    assert contents(tmp_path) == {f"eda/{name}": b"mine"}


def test_a_file_that_was_put_into_an_eda_is_not_lost(write: Callable[..., EdaSummary], tmp_path: Path) -> None:
    write()
    (tmp_path / "eda" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds notes\.txt"):
        write()
    assert (tmp_path / "eda" / "notes.txt").read_text() == "mine"


def test_a_file_or_a_link_is_no_folder(write: Callable[..., EdaSummary], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(InputError, match=f"{name} is no folder"):
            write(tmp_path / name)
    with pytest.raises(InputError, match="file/eda cannot be written"):
        write(tmp_path / "file" / "eda")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_when_writing_fails_the_older_eda_stays(
    write: Callable[..., EdaSummary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    write(title="older")
    before = contents(tmp_path)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    with pytest.raises((InputError, KeyboardInterrupt)) as caught:
        write(title="newer")
    assert isinstance(caught.value, KeyboardInterrupt) or "No space left on device" in str(caught.value)
    assert contents(tmp_path) == before


def test_when_the_last_step_fails_the_older_eda_comes_back(
    write: Callable[..., EdaSummary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(title="older")
    before, rename = contents(tmp_path), Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name.endswith(".draft"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(InputError, match="Input/output error"):
        write(title="newer")
    assert contents(tmp_path) == before


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_hundred_thousand_boxes_take_seconds_and_make_a_small_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    records = []
    for index in range(10_000):
        corners = rng.random((10, 4)) * (300, 200, 99, 99)
        boxes = tuple(Box(k % 3, x, y, x + 1 + w, y + 1 + h) for k, (x, y, w, h) in enumerate(corners.tolist()))
        records.append(record(f"p{index:05d}", *boxes, pictured=False))
    start = time.perf_counter()
    summary = write_eda(records, ("a", "b", "c"), [], tmp_path / "eda", title="many", splits={"full": records})
    assert time.perf_counter() - start < 60
    assert summary.boxes == 100_000
    assert (tmp_path / "eda" / PAGE_NAME).stat().st_size < 1_000_000
