from __future__ import annotations

import pytest

from data_prep.eda.markup import Heat, Part, Share, Swatch, number, paragraph, per_cent, table, text


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "' onload='x", "</style>"])
def test_no_cell_lets_markup_through(hostile: str) -> None:
    cells = table((hostile,), [(hostile,), (Swatch(hostile, "red"),), (Swatch("a", hostile),)]) + paragraph(hostile)
    assert hostile not in cells
    assert "<script" not in cells
    assert "<img" not in cells
    assert text(hostile) in cells


def test_control_characters_and_turned_writing_are_shown_as_escapes() -> None:
    assert text("a\nb\x1b[0m\u202egpj.exe") == "a\\nb\\x1b[0m\\u202egpj.exe"


def test_numbers_stand_to_the_right_and_have_commas() -> None:
    shown = table(("name", "count"), [("a", 12345)])
    assert '<th scope="col">name</th><th scope="col" class="n">count</th>' in shown
    assert '<td class="n">12,345</td>' in shown
    assert number(2.0) == "2.00"


def test_a_share_has_its_bar_and_a_part_its_count_too() -> None:
    shown = table(("a", "b"), [(Share(1, 4), Part(1234, 2000))])
    assert "25.0 %" in shown
    assert "--share:25.00%" in shown
    assert "1,234<small>61.7 %</small>" in shown


def test_heat_has_its_count_its_share_and_its_colour() -> None:
    shown = table(("a", "b"), [(Heat(3, 4), Heat(0, 4, bad=True))])
    assert '<td class="n heat" style="--share:75.00%">3<small>75.0 %</small></td>' in shown
    assert '<td class="n heat bad" style="--share:0.00%">0<small></small></td>' in shown


def test_a_column_with_a_number_anywhere_stands_to_the_right() -> None:
    shown = table(("a", "b"), [("x", "-"), ("y", 1)])
    assert shown.count('class="n"') == 3


def test_a_share_of_nothing_is_nothing() -> None:
    assert Share(0, 0).value == 0
    assert per_cent(0) == "0 %"


def test_a_small_share_is_not_shown_as_nothing() -> None:
    assert per_cent(0.00052) == "0.052 %"


def test_no_rows_no_table() -> None:
    assert table(("a",), []) == ""
