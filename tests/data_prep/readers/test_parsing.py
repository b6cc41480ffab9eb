from __future__ import annotations

import json

import pytest

from data_prep.readers.parsing import BadLabelError, child, finite, finite_text, four, parse_json, picture_size


@pytest.mark.parametrize("value", [0, -3, 2.5, 1_000_000])
def test_numbers_are_numbers(value: float) -> None:
    assert finite(value) == value
    assert finite_text(f" {value}\n") == value


@pytest.mark.parametrize("value", [True, False, None, "12", float("nan"), float("inf"), 10**400, 1_000_001, [1]])
def test_what_only_looks_like_a_number_is_refused(value: object) -> None:
    with pytest.raises(BadLabelError, match="is no finite number"):
        finite(value)


@pytest.mark.parametrize("text", ["1", "+1.", "-.5", "1e3", "1.5E-3", "007"])
def test_plain_number_texts_are_read_as_python_does(text: str) -> None:
    assert finite_text(text) == float(text)


@pytest.mark.parametrize(
    "text", ["", " ", "nan", "inf", "1_0", "0x1", "1,5", "1e999", "１", "٣", "1 2", "--1", "e5", ".", "1e", "True"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(BadLabelError, match="is no finite number"):
        finite_text(text)


def test_four_numbers_are_a_box() -> None:
    assert four([1, 2.5, -3, 4]) == (1, 2.5, -3, 4)
    for wrong in ([1, 2, 3], [1, 2, 3, 4, 5], {"a": 1}, "1234", None):
        with pytest.raises(BadLabelError, match="instead of four numbers"):
            four(wrong)


def test_sizes_are_whole_and_positive() -> None:
    assert picture_size(64, 48.0) == (64, 48)
    for wrong in ((0, 48), (64.5, 48), ("64", 48), (True, 48), (None, 48), (-1, 48), (float("nan"), 48)):
        assert picture_size(*wrong) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_json_in_every_unicode_encoding(encoding: str) -> None:
    assert parse_json('{"a": "돼지"}'.encode(encoding)) == {"a": "돼지"}


def test_keys_that_are_not_kept_are_dropped_at_every_depth() -> None:
    content = b'{"a": [{"b": 1, "c": [1, 2], "c": 3}], "c": {"a": 1}}'
    assert parse_json(content, keep=("a", "b")) == {"a": [{"b": 1}]}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 200_000, b'{"a": 1, "a": 2}', b"\xff", b"9" * 5000, b'{"a": 1} x', b"\x00\x01\x02"]
)
def test_what_is_no_json_is_refused_on_one_line(content: bytes) -> None:
    with pytest.raises(BadLabelError, match="is no valid JSON") as caught:
        parse_json(content)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("part", ["{}", "[]"])
def test_a_bomb_of_empty_objects_is_refused(part: str) -> None:
    few, many = (f"[{','.join([part] * count)}]".encode() for count in (1000, 1_100_000))
    assert len(parse_json(few)) == 1000
    with pytest.raises(BadLabelError, match="has more than 1000000 objects and lists"):
        parse_json(many)


def test_the_fallback_encoding_is_tried_last() -> None:
    content = json.dumps({"a": "돼지"}, ensure_ascii=False).encode("cp949")
    assert parse_json(content, fallback="cp949") == {"a": "돼지"}
    with pytest.raises(BadLabelError):
        parse_json(content)


def test_a_child_must_be_there_and_of_its_kind() -> None:
    assert child({"a": [1]}, "a", list) == [1]
    for parent, complaint in (([], "has no key `a`"), ({}, "has no key `a`"), ({"a": {}}, "has a dict under `a`")):
        with pytest.raises(BadLabelError, match=complaint):
            child(parent, "a", list)
