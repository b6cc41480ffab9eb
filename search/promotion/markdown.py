"""Markdown as GitHub and Hugging Face show it; text from outside stands in it as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from data_prep.text import printable

_SIGNS = re.compile(r"[\\`*\[\]<>|&~#$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_STARTS = re.compile(r"^(?=[-+=](?![0-9A-Za-z]))|^\d+(?=[.)](?!\S))")
"""What a line may not begin with: a line, a point of a list, its number."""


def text(value: object) -> str:
    """Text on one line in which nothing is markup.

    Args:
        value:
            Whatever; what cannot be printed is shown as an escape.
    """
    escaped = _SIGNS.sub(r"\\\g<0>", printable(str(value)).strip(" "))
    return _STARTS.sub(r"\g<0>\\", escaped)


def inline(value: object) -> str:
    """A name or path as code within a line."""
    return text(value) if "`" in str(value) else f"`{printable(str(value))}`"


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table; all columns but the first are set right, as numbers are."""
    marks = ["---", *("---:" for _ in head[1:])]
    lines = [list(map(text, head)), marks, *(list(map(text, row)) for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def code(lines: Iterable[str], language: str = "") -> list[str]:
    """Lines as they are; a line of backticks cannot end it early."""
    content = [printable(line) for line in lines]
    longest = max((len(found) for line in content for found in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *content, fence]


def section(title: str, *parts: str | Iterable[str]) -> list[str]:
    """A heading and paragraphs, each a text or the lines of a table or of code; empty ones are left out."""
    found = [f"## {title}", ""]
    for part in parts:
        lines = [part] if isinstance(part, str) else list(part)
        if any(lines):
            found += [*lines, ""]
    return found


def number(value: float | None, sign: str = "") -> str:
    """Four digits; nothing for None.

    Args:
        value:
            A figure.
        sign:
            ``+`` shows that of a gain, too.
    """
    return "" if value is None else f"{value:{sign}.4f}"
