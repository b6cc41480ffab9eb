"""Whether raw data counts as changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data_prep.config import load_prepare_config
from search.flow.raw import data_digest, raw_digest
from tests.shapes import draw_shapes


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A preparation of a YOLO data set whose pictures lie beside its data.yaml."""
    draw_shapes(tmp_path / "raw", train=3, val=2, seed=0)
    path = tmp_path / "prepare.yaml"
    path.write_text("source: {reader: yolo, data: raw/data.yaml}\n")
    return path


def test_it_stays_the_same_and_follows_every_file(raw: Path) -> None:
    before = raw_digest(load_prepare_config(raw))
    assert raw_digest(load_prepare_config(raw)) == before
    picture = next(file for file in (raw.parent / "raw").rglob("*") if file.suffix in {".png", ".jpg"})

    os.utime(picture, ns=(1, 1))
    touched = raw_digest(load_prepare_config(raw))
    assert touched != before
    picture.unlink()
    assert raw_digest(load_prepare_config(raw)) not in {before, touched}


def test_labels_count_and_what_a_flow_writes_beside_them_does_not(raw: Path) -> None:
    data = raw.parent / "raw" / "data.yaml"
    before = raw_digest(load_prepare_config(raw)), data_digest(data)
    (data.parent / "runs").mkdir()
    (data.parent / "runs" / "flow.json").write_text("{}")
    (data.parent / "train.cache").write_text("of YOLOv5")
    assert (raw_digest(load_prepare_config(raw)), data_digest(data)) == before

    label = next((data.parent / "labels").rglob("*.txt"))
    label.write_text("0 0.5 0.5 0.25 0.25\n")
    after = raw_digest(load_prepare_config(raw)), data_digest(data)
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_a_data_set_with_a_manifest_is_what_that_says(raw: Path) -> None:
    data = raw.parent / "raw" / "data.yaml"
    data.with_name("manifest.json").write_text("{}")
    before = data_digest(data)
    next((data.parent / "labels").rglob("*.txt")).write_text("0 0.5 0.5 0.25 0.25\n")
    assert data_digest(data) == before


def test_pictures_elsewhere_count(raw: Path, tmp_path: Path) -> None:
    """A data.yaml may name folders that are not beside it."""
    elsewhere = tmp_path / "elsewhere"
    draw_shapes(elsewhere, train=3, val=2, seed=1)
    lone = tmp_path / "lone"
    lone.mkdir()
    text = (elsewhere / "data.yaml").read_text()
    (lone / "data.yaml").write_text(
        f"path: {elsewhere}\n" + "\n".join(x for x in text.splitlines() if "path:" not in x)
    )
    raw.write_text("source: {reader: yolo, data: lone/data.yaml}\n")
    before = raw_digest(load_prepare_config(raw))
    picture = next(file for file in elsewhere.rglob("*") if file.suffix in {".png", ".jpg"})
    os.utime(picture, ns=(1, 1))
    assert raw_digest(load_prepare_config(raw)) != before


def test_what_is_not_there_is_no_error_here(raw: Path) -> None:
    raw.write_text("source: {reader: yolo, data: gone/data.yaml}\n")
    assert raw_digest(load_prepare_config(raw))
