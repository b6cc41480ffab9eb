from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from data_prep.readers.matching import Finder, Pair, common_root, inner_path, pair_up
from data_prep.records import Source

PLACE, LABELS = Path("/set/images"), Path("/set/labels")


def images(*names: str) -> list[Source]:
    return [Source(PLACE / name) for name in names]


def labels(*names: str) -> list[Source]:
    return [Source(LABELS / name) for name in names]


def test_inner_paths_are_the_same_for_folders_and_archives() -> None:
    decomposed = unicodedata.normalize("NFD", "돼지")
    assert inner_path(Source(PLACE / decomposed / "a.jpg"), PLACE) == "돼지/a.jpg"
    assert inner_path(Source(Path("/x.zip"), f"./{decomposed}/a.jpg"), Path("/x.zip")) == "돼지/a.jpg"


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("x/a.jpg", 0),
        ("x\\a.jpg", 0),
        ("y/a.jpg", 1),
        ("b.jpg", 2),
        ("/home/me/x/b.jpg", 2),
        ("c.jpg", 3),
        ("/home/me/c.jpg", 3),
        ("../../c.jpg", 3),
        ("gone/b.jpg", None),  # another folder: perhaps the picture of a folder that is missing here
        ("/home/me/b.jpg", None),
        ("a.jpg", None),
        ("z/a.jpg", None),
        ("b", None),
        ("b.png", None),
        ("", None),
        (".", None),
        ("..", None),
        ("\x00", None),
    ],
)
def test_names_are_found_by_path_or_unique_bare_name(name: str, index: int | None) -> None:
    assert Finder(["x/a.jpg", "y/a.jpg", "x/b.jpg", "c.jpg"], suffix_optional=False).find(name) == index


@pytest.mark.parametrize(
    ("name", "index"), [("b", 1), ("x/b", 1), ("b.c", 2), ("b.c.png", 2), ("a", None), ("a.jpg", 0), ("b.jpg", None)]
)
def test_suffixes_may_be_left_out_where_that_is_clear(name: str, index: int | None) -> None:
    assert Finder(["a.jpg", "x/b.png", "b.c.png", "a.png"], suffix_optional=True).find(name) == index


def test_stems_meet_across_folders_where_they_are_unique() -> None:
    pairs, lost = pair_up(images("x/a.jpg", "b.jpg"), labels("a.xml", "deep/b.xml", "c.xml"), PLACE, LABELS)
    assert pairs == [
        Pair(*images("x/a.jpg"), *labels("a.xml")),
        Pair(*images("b.jpg"), *labels("deep/b.xml")),
    ]
    assert lost == labels("c.xml")


def test_stems_that_repeat_meet_by_path_alone() -> None:
    pairs, lost = pair_up(images("x/a.jpg", "y/a.jpg"), labels("x/a.xml", "z/a.xml"), PLACE, LABELS)
    assert [pair.label for pair in pairs] == [*labels("x/a.xml"), None]
    assert lost == labels("z/a.xml")


def test_a_label_that_may_belong_to_two_pictures_belongs_to_none() -> None:
    pairs, lost = pair_up(images("a.jpg", "a.png"), labels("a.xml"), PLACE, LABELS)
    assert {pair.trouble for pair in pairs} == {"a.jpg and a.png share this label; rename one of them and its label"}
    assert not lost


def test_a_picture_that_may_have_two_labels() -> None:
    [pair], lost = pair_up(images("a.jpg"), labels("a.xml", "a.XML"), PLACE, LABELS)
    assert pair.trouble == "its label may be a.xml or a.XML; remove one of them"
    assert not lost


def test_a_label_in_another_folder_is_no_label_of_a_stem_that_repeats() -> None:
    pairs, lost = pair_up(images("x/a.jpg", "y/a.jpg"), labels("a.xml"), PLACE, LABELS)
    assert [pair.label for pair in pairs] == [None, None]
    assert lost == labels("a.xml")


def test_the_common_root_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    assert common_root(tmp_path / "a.json", tmp_path / "images") == tmp_path
    assert common_root(tmp_path / "images", None) == tmp_path / "images"
    assert common_root(tmp_path / "a.csv", None) == tmp_path


def test_places_far_apart_have_no_common_root(tmp_path: Path) -> None:
    for name in ("somewhere/deep/down", "else"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "somewhere" / "deep" / "down" / "a.json").write_text("")
    root = common_root(tmp_path / "somewhere" / "deep" / "down" / "a.json", tmp_path / "else")
    assert root == tmp_path / "somewhere" / "deep" / "down"
    assert Source(tmp_path / "else" / "cam" / "a.jpg").beside(root) == "cam/a.jpg"
    assert Source(root / "x" / "a.jpg").beside(root) == "x/a.jpg"
