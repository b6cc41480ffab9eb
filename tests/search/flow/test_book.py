"""``flow.json``: when a step counts as done."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.errors import InputError
from search.flow.book import FLOW_JSON, Book, digest_of

INPUTS = {"config": "a", "trials": 3}


def done(folder: Path) -> Book:
    """A book in which step `sweep` is done."""
    book = Book(folder)
    file = folder / "best.yaml"
    file.write_text("lr0: 0.1\n")
    book.begin("sweep", INPUTS)
    book.finish("sweep", [file], {"best": 0.5}, 2.0)
    return book


def test_a_step_is_done_for_as_long_as_nothing_changes(tmp_path: Path) -> None:
    assert not Book(tmp_path).is_done("sweep", INPUTS)
    assert done(tmp_path).is_done("sweep", INPUTS)
    again = Book(tmp_path)  # read from the file
    assert again.is_done("sweep", INPUTS)
    assert again.results() == {"sweep": {"best": 0.5}}
    assert not again.is_done("sweep", {**INPUTS, "trials": 4})
    assert not again.is_done("sweep", {"config": "a"})
    assert again.changed("sweep", {**INPUTS, "trials": 4, "budget": None}) == {"trials"}


@pytest.mark.parametrize("change", ["edit", "delete"])
def test_what_it_left_must_be_there_unchanged(tmp_path: Path, change: str) -> None:
    done(tmp_path)
    if change == "edit":
        (tmp_path / "best.yaml").write_text("lr0: 0.2\n")
    else:
        (tmp_path / "best.yaml").unlink()
    assert not Book(tmp_path).is_done("sweep", INPUTS)
    assert Book(tmp_path).changed("sweep", INPUTS) == frozenset()  # and it goes on from the same inputs


def test_a_step_that_was_begun_is_known_to_be_of_its_inputs(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.begin("sweep", INPUTS)
    book.stop("sweep", 5.0)
    again = Book(tmp_path)
    assert again.begun("sweep")
    assert not again.begun("final")
    assert not again.is_done("sweep", INPUTS)
    assert again.changed("sweep", {**INPUTS, "config": "b"}) == {"config"}


def test_seconds_of_all_starts_add_up_while_the_inputs_are_the_same(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.begin("sweep", INPUTS)
    book.stop("sweep", 5.0)
    book.begin("sweep", INPUTS)
    book.finish("sweep", [], {}, 2.0)
    entry = book.entry("sweep")
    assert entry is not None
    assert entry.seconds == 7.0
    book.begin("sweep", {"config": "b"})
    entry = book.entry("sweep")
    assert entry is not None
    assert entry.seconds == 0.0


def test_steps_are_forgotten_and_what_they_left_stays(tmp_path: Path) -> None:
    book = done(tmp_path)
    book.forget(["sweep", "never begun"])
    assert not Book(tmp_path).is_done("sweep", INPUTS)
    assert (tmp_path / "best.yaml").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 1, "steps": {"sweep": {"x": 1}}}'])
def test_a_damaged_record_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / FLOW_JSON).write_text(content)
    with pytest.raises(InputError, match=r"flow\.json: is no record of a flow .*delete it"):
        Book(tmp_path)


def test_a_record_of_a_later_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / FLOW_JSON).write_text('{"format": 2, "steps": {}}')
    with pytest.raises(InputError, match="has format 2"):
        Book(tmp_path)


def test_digests_do_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
