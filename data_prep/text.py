"""Text for people: nothing from a file name or a label reaches a terminal or a table unescaped."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Show what cannot be printed (line feeds, terminal codes, broken encodings) as escapes.

    Example:
        >>> printable("a\x1b[31m.jpg")
        'a\\x1b[31m.jpg'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
