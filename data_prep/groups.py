"""Which pictures belong together and must not be torn apart by a split: the part ``groups`` of the configuration."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from data_prep.errors import InputError
from data_prep.near import DEFAULT_DISTANCE, Pair, clusters
from data_prep.records import ImageRecord, safe_key
from data_prep.text import printable
from data_prep.validation import ConfigPath, FrozenModel


def _compilable(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression ({error})") from error
    return pattern


class ByName(FrozenModel):
    r"""Pictures whose names say that they are frames of one video.

    Example:
        ``pattern: '^(.*)_\d+$'`` puts ``barn_3_0001`` and ``barn_3_0002`` together.
    """

    by: Literal["name"]

    pattern: Annotated[str, AfterValidator(_compilable)]
    """Regular expression, searched in the name without suffix: pictures with the same first capture group, or the
    same match where it has none, are one group; a picture that it does not match is alone."""


class ByFolder(FrozenModel):
    """Pictures in one folder of the raw data."""

    by: Literal["folder"]


class ByFile(FrozenModel):
    """Pictures that a table puts together."""

    by: Literal["file"]

    file: ConfigPath
    """CSV with the columns ``image`` (a picture's name, with or without suffix) and ``group`` (any text; empty: the
    picture is alone, as one that the table lacks)."""


class NearDuplicates(FrozenModel):
    """Pictures that look the same, directly or through others."""

    by: Literal["near_duplicates"]

    distance: int = Field(default=DEFAULT_DISTANCE, ge=0, le=127)
    """How much two pictures may differ and still look the same, as :mod:`data_prep.near` measures it."""


#: Every relation that puts pictures together; a new one is named here.
AnyRelation = Annotated[ByName | ByFolder | ByFile | NearDuplicates, Field(discriminator="by")]

#: Per picture what it shares with the others of its group; None: it is alone.
_Marks = Sequence[Hashable | None]


def group_records(
    records: Sequence[ImageRecord],
    relations: Sequence[AnyRelation],
    clusters_of: Sequence[Sequence[int]] = (),
    left_out: Collection[str] = (),
) -> list[int]:
    """Number the groups of pictures that relations put together, directly or through other pictures.

    Args:
        records:
            The pictures.
        relations:
            What puts pictures together; :class:`NearDuplicates` has no effect here.
        clusters_of:
            More of the same, computed elsewhere: per picture the number of its cluster.
        left_out:
            Keys of pictures that are not among ``records`` and that a table may name all the same.

    Returns:
        The group of every record. Groups are numbered in the order of the keys of their first pictures, so the
        order of ``records`` does not matter.

    Raises:
        InputError: A pattern matches nothing; a table cannot be read, names an unknown picture, or one picture
            twice.
    """
    order = sorted(range(len(records)), key=lambda index: (records[index].key, records[index].source_split or ""))
    marks = [*(_marks(relation, records, left_out) for relation in relations), *clusters_of]
    first_of = clusters(len(records), (pair for column in marks for pair in _links(column, order)))
    numbers: dict[int, int] = {}
    found = [0] * len(records)
    for place, index in enumerate(order):
        found[index] = numbers.setdefault(first_of[place], len(numbers))
    return found


def _links(marks: _Marks, order: Sequence[int]) -> Iterator[Pair]:
    """Link every picture with the first of the same mark; by their places in ``order``."""
    first: dict[Hashable, int] = {}
    for place, index in enumerate(order):
        mark = marks[index]
        if mark is not None and first.setdefault(mark, place) != place:
            yield Pair(first[mark], place, 0)


def _marks(relation: AnyRelation, records: Sequence[ImageRecord], left_out: Collection[str]) -> _Marks:
    match relation:
        case ByName():
            return _by_name(relation.pattern, records)
        case ByFolder():
            return [_folder(record) for record in records]
        case ByFile():
            return _by_file(relation.file, records, left_out)
        case NearDuplicates():
            return [None] * len(records)


def _by_name(pattern: str, records: Sequence[ImageRecord]) -> list[str | None]:
    expression = re.compile(pattern)
    marks = [_mark(expression.search(record.key)) for record in records]
    if records and not any(marks):
        raise InputError(
            f"the pattern {printable(repr(pattern))} in `groups` matches none of the {len(records)} pictures, such as "
            f"`{records[0].key}`; correct it"
        )
    return marks


def _mark(match: re.Match[str] | None) -> str | None:
    """Return the first capture group where there is one, else the match; an empty text marks nothing."""
    if match is None:
        return None
    captured = match[1] if match.re.groups else None
    return (match[0] if captured is None else captured) or None


def _folder(record: ImageRecord) -> Hashable | None:
    if record.source is None:
        return None
    if record.source.member is None:
        return record.source.path.parent
    return record.source.path, PurePosixPath(record.source.member).parent


def _by_file(path: Path, records: Sequence[ImageRecord], left_out: Collection[str]) -> list[str | None]:
    keys = _keys_by_name(records)
    group_of: dict[str, str] = {}
    for line, name, group in _rows(path):
        found, where = keys.get(name, set()), printable(f"{path}, line {line}: `{name}`")
        if len(found) > 1:
            raise InputError(f"{where} may be one of {len(found)} pictures; write `{min(found)}`, for example")
        if not found and not {safe_key(name), safe_key(PurePosixPath(name).stem)} & set(left_out):
            raise InputError(f"{where} is no picture of the data set; correct or remove the line")
        for key in found:
            if group_of.setdefault(key, group) != group:
                raise InputError(f"{where} has another group further up; remove one of the two lines")
    return [group_of.get(record.key) or None for record in records]


def _keys_by_name(records: Sequence[ImageRecord]) -> Mapping[str, set[str]]:
    """Map every name by which a picture may be called to the keys of the pictures; a key is one picture's alone."""
    found: dict[str, set[str]] = {}
    for record in records:
        if record.source is not None:
            for name in (record.source.name, record.source.stem):
                found.setdefault(_nfc(name), set()).add(record.key)
    for record in records:
        found[record.file_name] = found[record.key] = {record.key}
    return found


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line, image and group of every row."""
    shown = printable(str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if not {"image", "group"} <= set(reader.fieldnames or ()):
                raise InputError(f"{shown} needs the columns `image` and `group` in its first line; add them")
            for row in reader:
                yield reader.line_num, _nfc(row["image"] or ""), row["group"] or ""
    except OSError as error:
        raise InputError(f"{shown} cannot be read ({error.strerror}); check the path") from error
    except (csv.Error, UnicodeError) as error:
        raise InputError(f"{shown} is no CSV in UTF-8 ({error}); correct it") from error


def _nfc(name: str) -> str:
    """Compose letters: file systems and tables write the same Korean name in two ways."""
    return unicodedata.normalize("NFC", name)
