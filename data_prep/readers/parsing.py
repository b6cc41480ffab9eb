"""Strict reading of what stands in labels: a doubtful value is refused, never guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from data_prep.errors import InputError
from data_prep.names import shown
from data_prep.records import Source
from data_prep.store import RawStore
from data_prep.text import printable

#: ``(x1, y1, x2, y2)``: left, upper, right and lower edge.
Corners = tuple[float, float, float, float]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_MANY = 1_000_000  # objects and lists in one JSON that are no matter, however short they are
_DENSE = 20  # bytes per object or list, on average, below which many of them make a bomb
_MOST = 1_000_000  # pixels of a side; a number beyond is a mistake, in any unit


class BadLabelError(ValueError):
    """A label, or a row or object in it, is not what its format asks for.

    The text follows the name of the file in a sentence and does not repeat it.
    """


def read_label(store: RawStore, source: Source) -> bytes:
    """Return the bytes of the label of one picture.

    Raises:
        BadLabelError: It is missing, damaged or larger than ``limits.label_bytes``.
    """
    try:
        return store.read(source, limit=store.limits.label_bytes)
    except InputError as error:
        # Without the place, which differs between machines.
        reason = str(error).removeprefix(f"{source} ").replace(str(source.path), source.path.name)
        raise BadLabelError(reason) from error


def finite(value: object) -> float:
    """Return a number out of JSON.

    Raises:
        BadLabelError: It is NaN, infinite, huge, a bool, a text or anything else.
    """
    # A bool is an int for `isinstance`. The comparison fails for NaN, too.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _MOST:
        return float(value)
    raise BadLabelError(f"{shown(value)} is no finite number up to {_MOST}")


def finite_text(text: str) -> float:
    """Return a number out of a text; only what every language would read as that number.

    Raises:
        BadLabelError: It is something else (``nan``, ``1_000``, ``0x10``, digits of other scripts) or huge.
    """
    stripped = text.strip()
    if _NUMBER.fullmatch(stripped) and abs(number := float(stripped)) <= _MOST:
        return number
    raise BadLabelError(f"{shown(text)} is no finite number up to {_MOST}")


def text_lines(content: bytes) -> list[str]:
    """Return the lines of a text in UTF-8.

    Raises:
        BadLabelError: It is no such text.
    """
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadLabelError("is no UTF-8 text") from error


def four(values: object) -> tuple[float, float, float, float]:
    """Return the four numbers of a box out of JSON.

    Raises:
        BadLabelError: There are more or fewer, or one is no finite number.
    """
    if not isinstance(values, list) or len(values) != 4:
        count = f"{len(values)} numbers" if isinstance(values, list) else shown(values)
        raise BadLabelError(f"`bbox` has {count} instead of four numbers")
    first, second, third, fourth = (finite(value) for value in values)
    return first, second, third, fourth


def picture_size(width: object, height: object) -> tuple[int, int] | None:
    """Return the size that a label states, in pixels; None where it states none that a picture can have."""
    try:
        sides = finite(width), finite(height)
    except BadLabelError:
        return None
    if all(side > 0 and side.is_integer() for side in sides):
        return int(sides[0]), int(sides[1])
    return None


def parse_json(content: bytes, *, keep: Collection[str] = (), fallback: str | None = None) -> Any:  # noqa: ANN401 - JSON is anything
    """Parse JSON in UTF-8, UTF-16 or UTF-32.

    Args:
        content:
            The bytes.
        keep:
            Keys that are kept in every object; the others are dropped while parsing, which spares memory.
            Empty: all are kept.
        fallback:
            Encoding that is tried where it is none of those.

    Raises:
        BadLabelError: It is no JSON, is nested too deeply, is a bomb of empty objects, or a key that is kept stands
            twice in one object.
    """

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        kept = [pair for pair in pairs if pair[0] in keep] if keep else pairs
        found = dict(kept)
        if len(found) < len(kept):
            raise ValueError("a key stands twice in one object")
        return found

    # Otherwise `{},{},..` takes thirty times its size in memory.
    if content.count(b"{") + content.count(b"[") > max(_MANY, len(content) // _DENSE):
        raise BadLabelError(f"has more than {_MANY} objects and lists with nothing in them; replace it")
    try:
        return json.loads(_decode(content, fallback), object_pairs_hook=build)
    except (ValueError, RecursionError) as error:
        raise BadLabelError(f"is no valid JSON ({printable(str(error))})") from error


def child(parent: object, key: str, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:  # noqa: ANN401 - JSON is anything
    """Return what a JSON object holds under a key.

    Raises:
        BadLabelError: It is no object, lacks the key, or holds something that is no ``kind``.
    """
    if not isinstance(parent, Mapping) or key not in parent:
        raise BadLabelError(f"has no key `{key}`")
    if not isinstance(parent[key], kind):
        word = "a list" if kind is list else "an object"
        raise BadLabelError(f"has {shown(parent[key])} under `{key}` instead of {word}")
    return parent[key]


def _decode(content: bytes, fallback: str | None) -> str:
    try:
        return content.decode(json.detect_encoding(content))
    except UnicodeDecodeError:
        if fallback is None:
            raise
        return content.decode(fallback)
