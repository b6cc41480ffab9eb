from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.errors import InputError
from data_prep.readers import ImagesReader
from data_prep.records import RawImage, Source
from tests.data_prep.conftest import write_zip
from tests.data_prep.readers.builders import Picture, read, write_pictures


def test_a_folder_is_background(tmp_path: Path) -> None:
    write_pictures(tmp_path / "empty", [Picture("b"), Picture("deep/a")])
    (tmp_path / "empty" / "notes.txt").write_text("0 0.5 0.5 0.1 0.1")
    raw = read(ImagesReader(images=tmp_path / "empty"))
    assert raw.names == ()
    assert raw.images == (
        RawImage("b", Source(tmp_path / "empty" / "b.jpg")),
        RawImage("a", Source(tmp_path / "empty" / "deep" / "a.jpg")),
    )
    assert not raw.findings


def test_an_archive_is_background(tmp_path: Path) -> None:
    write_zip(tmp_path / "empty.zip", {"x/a.jpg": b"", "y/a.jpg": b"", "z.txt": b""})
    raw = read(ImagesReader(images=tmp_path / "empty.zip"))
    assert [image.key for image in raw.images] == ["x_a", "y_a"]


def test_a_place_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no picture; correct `images`"):
        read(ImagesReader(images=tmp_path / "empty"))
    with pytest.raises(InputError, match="nowhere"):
        read(ImagesReader(images=tmp_path / "nowhere"))
