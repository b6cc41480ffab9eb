"""Whether raw data counts as changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data_prep.config import load_prepare_config
from search.flow.raw import raw_digest


@pytest.fixture
def raw(shapes: Path, tmp_path: Path) -> Path:
    """A preparation of a YOLO data set whose pictures lie beside its data.yaml."""
    import shutil

    shutil.copytree(shapes.parent, tmp_path / "raw")
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


def test_pictures_elsewhere_count(raw: Path, tmp_path: Path) -> None:
    """A data.yaml may name folders that are not beside it."""
    elsewhere = tmp_path / "elsewhere"
    (raw.parent / "raw").rename(elsewhere)
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
