from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from data_prep.errors import InputError
from data_prep.groups import AnyRelation, ByFile, ByFolder, ByName, NearDuplicates, group_records
from data_prep.records import ImageRecord, Source

KEYS = ["barn_1_001", "barn_1_002", "barn_2_001", "yard_001", "yard_002"]


def records(*keys: str) -> list[ImageRecord]:
    return [ImageRecord(key, Source(Path(f"{key}.jpg")), 10, 10) for key in keys]


def by_name(pattern: str) -> ByName:
    return ByName(by="name", pattern=pattern)


def by_file(folder: Path, *rows: str, header: str = "image,group") -> ByFile:
    (folder / "groups.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return ByFile(by="file", file=folder / "groups.csv")


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (r"^(.*)_\d+$", [0, 0, 1, 2, 2]),
        (r"barn_\d", [0, 0, 1, 2, 3]),  # no capture: the match
        (r"^(barn|yard)_", [0, 0, 0, 1, 1]),
        (r"(1_)|yard", [0, 0, 1, 2, 2]),  # a capture that took no part: the match
    ],
)
def test_a_name_tells_the_video(pattern: str, groups: list[int]) -> None:
    assert group_records(records(*KEYS), [by_name(pattern)]) == groups


@pytest.mark.parametrize("pattern", ["cellar", "x*", "()yard"])
def test_a_pattern_that_matches_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match=r"in `groups` matches none of the 5 pictures, such as `barn_1_001`; correct"):
        group_records(records(*KEYS), [by_name(pattern)])


def test_a_folder_is_a_group_within_its_archive() -> None:
    sources = [
        Source(Path("/raw/a/1.jpg")),
        Source(Path("/raw/a/2.jpg")),
        Source(Path("/raw/b/3.jpg")),
        Source(Path("/raw/x.zip"), "a/4.jpg"),
        Source(Path("/raw/x.zip"), "a/5.jpg"),
        Source(Path("/raw/y.zip"), "a/6.jpg"),
        Source(Path("/raw/y.zip"), "a/deep/7.jpg"),
        None,
        None,
    ]
    herd = [ImageRecord(f"image_{i}", source, 10, 10) for i, source in enumerate(sources)]
    assert group_records(herd, [ByFolder(by="folder")]) == [0, 0, 1, 2, 2, 3, 4, 5, 6]


def test_a_table_puts_pictures_together(tmp_path: Path) -> None:
    relation = by_file(tmp_path, "barn_1_001,day", "yard_002.jpg,day", "yard_001,", "barn_2_001,night")
    assert group_records(records(*KEYS), [relation]) == [0, 1, 2, 3, 0]


def test_a_table_may_use_the_raw_names(tmp_path: Path) -> None:
    """The key is the safe form of a name; Korean names come composed or not."""
    names = ["돼지 1.jpg", "돼지 2.jpg"]
    composed, decomposed = ([unicodedata.normalize(form, name) for name in names] for form in ("NFC", "NFD"))
    herd = [
        ImageRecord("돼지_1", Source(Path(composed[0])), 9, 9),
        ImageRecord("돼지_2", Source(Path(decomposed[1])), 9, 9),
        *records("c"),
    ]
    relation = by_file(tmp_path, f"{decomposed[0]},x", f"{composed[1]},x")
    assert group_records(herd, [relation]) == [1, 1, 0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["barn_9,x"], r"groups\.csv, line 2: `barn_9` is no picture of the data set; correct or remove the line"),
        (["yard_001,x", "yard_001.jpg,y"], r"line 3: `yard_001\.jpg` has another group further up; remove one"),
        (["001,x"], r"line 2: `001` may be one of 2 pictures; write `far_001`, for example"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, rows: list[str], message: str) -> None:
    twins = [
        ImageRecord("near_001", Source(Path("near/001.jpg")), 9, 9),
        ImageRecord("far_001", Source(Path("far/001.jpg")), 9, 9),
    ]
    with pytest.raises(InputError, match=message):
        group_records([*records(*KEYS), *twins], [by_file(tmp_path, *rows)])


def test_a_table_may_name_pictures_that_were_left_out(tmp_path: Path) -> None:
    relation = by_file(tmp_path, "broken.jpg,x", "yard_001,x")
    assert group_records(records(*KEYS), [relation], left_out={"broken"}) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"picture,group\na,b\n", "needs the columns `image` and `group` in its first line; add them"),
        (b"", "needs the columns"),
        ("image,group\n돼지,b\n".encode("cp949"), "is no CSV in UTF-8"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "groups.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        group_records(records(*KEYS), [ByFile(by="file", file=tmp_path / "groups.csv")])


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv cannot be read \(No such file or directory\); check the path"):
        group_records(records(*KEYS), [ByFile(by="file", file=tmp_path / "none.csv")])


def test_relations_and_clusters_join_groups() -> None:
    """barn_1 by name, yard_001 and yard_002 by a cluster, barn_1_002 and yard_001 by another."""
    clusters = [[0, 1, 2, 3, 3], [0, 1, 2, 1, 4]]
    found = group_records(records(*KEYS), [by_name(r"^barn_\d"), NearDuplicates(by="near_duplicates")], clusters)
    assert found == [0, 0, 1, 0, 0]


def test_without_relations_every_picture_is_alone() -> None:
    assert group_records(records(*KEYS), []) == [0, 1, 2, 3, 4]
    assert group_records([], [by_name("x")]) == []


@settings(max_examples=50, deadline=None)
@given(marks=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), min_size=1, max_size=30), seed=st.integers())
def test_the_order_of_pictures_and_the_numbers_of_clusters_do_not_matter(
    marks: list[tuple[int, int]], seed: int
) -> None:
    herd = records(*(f"image_{i:02d}" for i in range(len(marks))))
    columns = [[mark[0] for mark in marks], [mark[1] for mark in marks]]
    found = dict(zip(herd, group_records(herd, [], columns), strict=True))
    order = random.Random(seed).sample(range(len(marks)), len(marks))
    mixed = [herd[i] for i in order]
    again = group_records(mixed, [], [[99 - 3 * column[i] for i in order] for column in columns])
    assert dict(zip(mixed, again, strict=True)) == found
    for column in columns:
        assert len({(mark, found[image]) for mark, image in zip(column, herd, strict=True)}) == len(set(column))
    # Nothing is joined that no chain of marks joins: every group is held together by its own marks.
    assert set(found.values()) == set(range(components(marks)))


def components(marks: list[tuple[int, int]]) -> int:
    """Number of connected pictures, by flooding."""
    left, count = set(range(len(marks))), 0
    while left:
        count, front = count + 1, {left.pop()}
        while front:
            here = marks[front.pop()]
            joined = {i for i in left if marks[i][0] == here[0] or marks[i][1] == here[1]}
            left -= joined
            front |= joined
    return count


def test_a_configuration_names_the_relation() -> None:
    adapter: TypeAdapter[AnyRelation] = TypeAdapter(AnyRelation)
    assert adapter.validate_python({"by": "folder"}) == ByFolder(by="folder")
    assert isinstance(adapter.validate_python({"by": "near_duplicates", "distance": 3}), NearDuplicates)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": "name", "pattern": "("}, "is no regular expression"),
        ({"by": "name"}, "Field required"),
        ({"by": "video"}, "does not match any of the expected tags"),
        ({"by": "near_duplicates", "distance": -1}, "greater than or equal to 0"),
        ({"by": "folder", "depth": 2}, "Extra inputs"),
    ],
)
def test_a_wrong_relation_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(AnyRelation).validate_python(settings)
