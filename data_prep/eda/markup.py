"""Small pieces of HTML. Every text that reaches a page goes through :func:`text`."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from data_prep.text import printable


@dataclass(frozen=True, slots=True)
class Share:
    """A cell with the share that ``count`` is of ``total``, as per cent with a bar."""

    count: int
    total: int

    @property
    def value(self) -> float:
        """The share, from 0 to 1; 0 of nothing is 0."""
        return self.count / self.total if self.total else 0.0


class Part(Share):
    """A cell with ``count`` and the share that it is of ``total``."""


@dataclass(frozen=True, slots=True)
class Heat(Share):
    """A cell with ``count``, the darker the larger the share that it is of ``total``.

    Attributes:
        bad:
            Whether a large share is bad; another colour then.
    """

    bad: bool = False


@dataclass(frozen=True, slots=True)
class Swatch:
    """A cell with a text behind a sign of its colour."""

    text: str
    colour: str


Cell = str | int | float | Share | Swatch


def text(value: str) -> str:
    """Escape a text: it can be nothing but text on a page, and what cannot be printed is shown as escapes.

    Example:
        >>> text('<script>"x"')
        '&lt;script&gt;&quot;x&quot;'
    """
    return html.escape(printable(value), quote=True)


def swatch(value: str, colour: str) -> str:
    """Return a text behind a sign of its colour; without colour, the text alone."""
    sign = f'<i class="swatch" style="background:{text(colour)}"></i>' if colour else ""
    return sign + text(value)


def number(value: float) -> str:
    """Return a number with commas between thousands, as people read it.

    Example:
        >>> number(16455), number(2.345)
        ('16,455', '2.35')
    """
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def per_cent(share: float) -> str:
    """Return a share as per cent; a small one is not shown as nothing.

    Example:
        >>> per_cent(0.5), per_cent(0.00037), per_cent(0)
        ('50.0 %', '0.04 %', '0 %')
    """
    value = 100 * share
    return f"{value:.1f} %" if value >= 1 else f"{value:.2g} %"


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table, columns with numbers to the right; without any row, nothing."""
    body = [list(row) for row in rows]
    if not body:
        return ""
    right = [any(not isinstance(cell, (str, Swatch)) for cell in column) for column in zip(*body, strict=True)]
    heads = "".join(
        f'<th scope="col"{_class(numeric)}>{text(name)}</th>' for name, numeric in zip(head, right, strict=True)
    )
    lines = "".join(f"<tr>{''.join(map(_cell, row, right))}</tr>" for row in body)
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>'


def section(name: str, title: str, *parts: str) -> str:
    """Return a section with an anchor; empty parts vanish."""
    return f'<section id="{text(name)}"><h2>{text(title)}</h2>{"".join(parts)}</section>'


def paragraph(*sentences: str) -> str:
    """Return a paragraph of plain text; without any, nothing."""
    return f"<p>{text(' '.join(sentences))}</p>" if any(sentences) else ""


#: Stands in a section that has nothing else.
NOTHING = paragraph("There is nothing to show.")


def data_uri(content: bytes, kind: str) -> str:
    """Return a file's content as an address that needs no request."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _cell(cell: Cell, numeric: bool) -> str:
    if isinstance(cell, Swatch):
        return f'<td class="name" title="{text(cell.text)}">{swatch(cell.text, cell.colour)}</td>'
    if isinstance(cell, Heat):
        kind = "n heat bad" if cell.bad else "n heat"
        shown = f"{number(cell.count)}<small>{per_cent(cell.value) if cell.count else ''}</small>"
        return f'<td class="{kind}" style="--share:{_width(cell.value)}">{shown}</td>'
    if isinstance(cell, Part):
        shown = f"{number(cell.count)}<small>{per_cent(cell.value)}</small>"
        return f'<td class="n part" style="--share:{_width(cell.value)}">{shown}</td>'
    if isinstance(cell, Share):
        return f'<td class="n share">{per_cent(cell.value)}<i style="--share:{_width(cell.value)}"></i></td>'
    if isinstance(cell, str):
        return f"<td{_class(numeric)}>{text(cell)}</td>"
    return f'<td class="n">{number(cell)}</td>'


def _width(share: float) -> str:
    return f"{min(max(100 * share, 0), 100):.2f}%"


def _class(numeric: bool) -> str:
    return ' class="n"' if numeric else ""
