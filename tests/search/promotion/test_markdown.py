"""Text from outside in Markdown, read back by a parser of CommonMark and GitHub's tables."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from data_prep.text import printable
from search.promotion.markdown import code, number, section, table, text

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SIGNS = st.text(st.sampled_from("|*_`<>[]()#&~\\-+.!1a $=\n"), max_size=12)


def parsed(lines: list[str]) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse("\n".join(lines))


def plain(inline: Token) -> str:
    """The text of a paragraph or cell; fails where there is any markup in it."""
    children = inline.children or []
    assert {child.type for child in children} <= {"text", "text_special"}, children
    return "".join(child.content for child in children)


@given(ANY | SIGNS)
@example("1. no list")
@example("- no list")
@example("  - no list")
@example("# no heading")
@example("<script>alert(1)</script>")
@example("[link](http://x)")
@example("_a_b_ **c** `d` &amp; ~~e~~")
def test_nothing_in_a_text_is_markup(value: str) -> None:
    tokens = parsed([text(value)])
    wanted = printable(value).strip()
    assert [plain(token) for token in tokens if token.type == "inline"] == ([wanted] if wanted else [])
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}


@given(st.lists(st.tuples(ANY | SIGNS, ANY | SIGNS), max_size=4))
def test_a_table_has_its_cells(rows: list[tuple[str, str]]) -> None:
    tokens = parsed(table(("name", "a|b"), rows))
    cells = [plain(token) for token in tokens if token.type == "inline"]
    assert cells == ["name", "a|b", *(printable(cell).strip() for row in rows for cell in row)]


@given(st.lists(ANY | st.just("```") | st.just("````x"), min_size=1, max_size=4))
def test_code_is_as_it_is(lines: list[str]) -> None:
    (fence,) = parsed(code(lines, "sh"))
    assert (fence.type, fence.info, fence.content) == ("fence", "sh", "".join(f"{printable(each)}\n" for each in lines))


def test_a_section_leaves_out_what_is_empty() -> None:
    assert section("A", "", "text", [], ["| a |"]) == ["## A", "", "text", "", "| a |", ""]


def test_numbers() -> None:
    assert [number(None), number(0.12345), number(0.1, "+"), number(-0.1, "+")] == ["", "0.1235", "+0.1000", "-0.1000"]
