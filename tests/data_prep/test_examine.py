from __future__ import annotations

from pathlib import Path

import pytest

import data_prep.examine
from data_prep.examine import Journal, examine_images
from data_prep.findings import Flaw, Kind
from data_prep.images import Examination
from data_prep.limits import Limits
from data_prep.progress import silent
from data_prep.records import RawImage, Source
from data_prep.store import RawStore
from tests.data_prep.conftest import jpeg, write_zip


@pytest.fixture
def pictures(tmp_path: Path) -> list[RawImage]:
    """Three sound pictures, one broken one and one that is missing, in a folder and a zip."""
    write_zip(tmp_path / "a.zip", {"x/a.jpg": jpeg(40, 30), "x/broken.jpg": jpeg()[:200]})
    (tmp_path / "b.jpg").write_bytes(jpeg(50, 20))
    (tmp_path / "turned.jpg").write_bytes(jpeg(50, 20, exif_orientation=6))
    sources = [Source(tmp_path / "a.zip", "x/a.jpg"), Source(tmp_path / "a.zip", "x/broken.jpg")]
    sources += [Source(tmp_path / name) for name in ("b.jpg", "turned.jpg", "missing.jpg")]
    return [RawImage(source.stem, source) for source in sources]


def look(images: list[RawImage], journal: Journal | None = None) -> list[Examination]:
    with RawStore(Limits()) as store:
        return examine_images(images, store, silent, journal)


def test_every_picture_is_looked_at_in_order(pictures: list[RawImage]) -> None:
    found = look(pictures)
    assert [(seen.width, seen.height) for seen in found] == [(40, 30), (0, 0), (50, 20), (20, 50), (0, 0)]
    assert [seen.flaw and seen.flaw.kind for seen in found] == [
        None, Kind.UNREADABLE_IMAGE, None, None, Kind.UNREADABLE_IMAGE,
    ]  # fmt: skip


def test_no_finding_names_the_place(pictures: list[RawImage], tmp_path: Path) -> None:
    (tmp_path / "packed.zip").write_bytes(b"\x1f\x8b")
    pictures.append(RawImage("packed", Source(tmp_path / "packed.zip", "a.jpg")))
    details = [seen.flaw.detail for seen in look(pictures) if seen.flaw]
    assert len(details) == 3
    assert not any(str(tmp_path) in detail for detail in details)


def test_boxes_alone_have_the_size_that_was_stated() -> None:
    (seen,) = look([RawImage("a", None, stated_size=(1920, 1080))])
    assert (seen.width, seen.height, seen.sha256, seen.flaw) == (1920, 1080, "", None)


def test_journal_spares_what_was_looked_at(
    pictures: list[RawImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path / "journal", "v1") as journal:
        first = look(pictures, journal)
    looked = count_looks(monkeypatch)
    with Journal(tmp_path / "journal", "v1") as journal:
        assert look(pictures, journal) == first
    assert looked == []


def test_changed_file_is_looked_at_again(
    pictures: list[RawImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path / "journal", "v1") as journal:
        look(pictures, journal)
    (tmp_path / "b.jpg").write_bytes(jpeg(70, 20))
    looked = count_looks(monkeypatch)
    with Journal(tmp_path / "journal", "v1") as journal:
        assert look(pictures, journal)[2].width == 70
    assert len(looked) == 1


@pytest.mark.parametrize("damage", ["settings", "torn", "garbage"])
def test_damaged_journal_costs_time_and_nothing_else(pictures: list[RawImage], tmp_path: Path, damage: str) -> None:
    path = tmp_path / "journal"
    with Journal(path, "v1") as journal:
        first = look(pictures, journal)
    content = path.read_bytes()
    if damage == "torn":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "garbage":
        path.write_bytes(content.replace(b"x/a.jpg", b"\xff\x00{]"))
    settings = "v2" if damage == "settings" else "v1"
    with Journal(path, settings) as journal:
        assert look(pictures, journal) == first
    with Journal(path, settings) as journal:
        assert look(pictures, journal) == first


def count_looks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    looked: list[bytes] = []
    original = data_prep.examine.examine_image

    def count(content: bytes, limits: Limits) -> Examination:
        looked.append(content)
        return original(content, limits)

    monkeypatch.setattr(data_prep.examine, "examine_image", count)
    return looked


def test_flaws_survive_the_journal(tmp_path: Path) -> None:
    seen = Examination(0, 0, "ab", b"\x00\xff", Flaw(Kind.OVERSIZED_IMAGE, "9 px"))
    with Journal(tmp_path / "journal", "") as journal:
        journal.add("k", seen)
    with Journal(tmp_path / "journal", "") as journal:
        assert journal.find("k") == seen
        assert journal.find("other") is None


def test_file_of_too_many_bytes_is_oversized_and_not_unreadable(pictures: list[RawImage]) -> None:
    with RawStore(Limits(image_bytes=100)) as store:
        found = examine_images(pictures, store, silent)
    kinds = [seen.flaw.kind for seen in found if seen.flaw]
    assert kinds == [Kind.OVERSIZED_IMAGE] * 4 + [Kind.UNREADABLE_IMAGE]  # the last one is missing
