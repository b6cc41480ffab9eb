"""Class names as data sets give them, and values from outside as messages show them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from data_prep.text import printable

_SHOWN = 60  # characters of a value that a message repeats


def shown(value: object) -> str:
    r"""Show a value from outside in a message: short, on one line; of a list or mapping only what it is.

    Example:
        >>> shown("a\nb"), shown(7), shown([[1], [2]])
        ("'a\\nb'", '7', 'a list')
    """
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return f"a {type(value).__name__}"  # its text may be huge: YAML aliases grow exponentially
    text = repr(value[:_SHOWN]) if isinstance(value, (str, bytes)) else repr(value)
    return printable(text if len(text) <= _SHOWN + 2 else f"{text[:_SHOWN]}..")


def is_class_name(value: object) -> bool:
    r"""Whether a value can be a class name: text with something in it, no control characters, no broken Unicode.

    Example:
        >>> [is_class_name(value) for value in ("돼지 새끼", "", "a\nb", 3)]
        [True, False, False, False]
    """
    return (
        isinstance(value, str)
        and bool(value.strip())
        and not any(unicodedata.category(character) in ("Cc", "Cs") for character in value)
    )


def check_class_names(names: Iterable[object]) -> tuple[str, ...]:
    """Return class names as they are, provided that they can be told apart.

    Raises:
        ValueError: One is no class name or stands twice; says which and the remedy.
    """
    found: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str) or not is_class_name(name):
            raise ValueError(f"{shown(name)} is no class name; write it as text, in quotes")
        if name in found:
            raise ValueError(f"the class {shown(name)} stands twice; name every class once")
        found[name] = None
    return tuple(found)
