from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from data_prep.text import printable


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_comes_in_can_be_printed_on_one_line(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    shown.encode()  # a lone surrogate could not


def test_letters_of_any_script_stay() -> None:
    assert printable("돼지 é 1.jpg") == "돼지 é 1.jpg"
