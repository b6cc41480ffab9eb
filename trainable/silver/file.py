"""The file of candidates beside a data set with silver labels: a Parquet file with a row per picture.

With it other thresholds take no network. It is written and read a few pictures at a time, and is there whole or not at
all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from data_prep.durable import replacing
from data_prep.errors import InputError
from data_prep.silver.merge import Rows
from trainable.silver.labels import Candidates

SILVER_PARQUET = "silver.parquet"
MAX_CANDIDATES = 1000
"""Of a picture, the most confident first: at a confidence of 0.05 few pictures have more."""
_CHUNK = 32
_ABOUT = b"hypsweep"
_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("gold", pa.bool_()),
        ("boxes", pa.list_(pa.float32())),
        ("confidences", pa.list_(pa.float32())),
        ("classes", pa.list_(pa.int16())),
        ("labels", pa.list_(pa.float32())),
    ]
)


class SilverPicture(NamedTuple):
    """A picture that was looked at.

    Attributes:
        file:
            Its path within the data set, ``/`` between.
        gold:
            Whether it is a picture of gold train; else it is new.
        candidates:
            What was predicted.
        labels:
            Its gold labels, shape (boxes, 5).
    """

    file: str
    gold: bool
    candidates: Candidates
    labels: Rows


class SilverWriter:
    """Writes pictures to an open Parquet file; see :func:`writing`."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._rows: list[dict[str, Any]] = []

    def add(self, picture: SilverPicture) -> None:
        """Write one more picture."""
        found = picture.candidates
        self._rows.append(
            {
                "file": picture.file,
                "gold": picture.gold,
                "boxes": found.boxes.ravel(),
                "confidences": found.confidences,
                "classes": found.classes,
                "labels": picture.labels.ravel(),
            }
        )
        if len(self._rows) == _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write what was held back."""
        if self._rows:
            self._writer.write_table(
                pa.Table.from_pylist(self._rows, _SCHEMA.with_metadata(self._writer.schema.metadata))
            )
            self._rows.clear()


@contextmanager
def writing(path: Path, about: Mapping[str, Any]) -> Iterator[SilverWriter]:
    """Write a file of candidates, which takes the place of ``path`` when the block ends.

    Args:
        path:
            The file.
        about:
            What the candidates depend on; JSON can hold it.

    Raises:
        OSError: It cannot be written.
    """
    schema = _SCHEMA.with_metadata({_ABOUT: json.dumps(about, sort_keys=True)})
    with replacing(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        silver = SilverWriter(writer)
        yield silver
        silver.flush()


def read_about(path: Path) -> dict[str, Any] | None:
    """What :func:`writing` was told of a file; None where there is none, or a damaged one, or one of another form."""
    if not path.is_file():  # to open a FIFO would be to wait for it
        return None
    try:
        with pq.ParquetFile(path) as file:
            about = json.loads((file.schema_arrow.metadata or {}).get(_ABOUT, b"null"))
            return about if isinstance(about, dict) and file.schema_arrow.equals(_SCHEMA) else None
    except (OSError, pa.ArrowException, ValueError):
        return None


def read_pictures(path: Path) -> Iterator[SilverPicture]:
    """The pictures of a file, of which a few are in memory.

    Raises:
        InputError: It is damaged, or gone.
    """
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield from _pictures_of(file.read_row_group(group))
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged; `hypsweep check` says what else is, make the data set anew.") from error


def _pictures_of(table: pa.Table) -> Iterator[SilverPicture]:
    columns = {field.name: table.column(field.name) for field in _SCHEMA}
    for index in range(table.num_rows):
        numbers = {
            name: columns[name][index].values.to_numpy().copy()
            for name in ("boxes", "confidences", "classes", "labels")
        }
        yield SilverPicture(
            columns["file"][index].as_py(),
            columns["gold"][index].as_py(),
            Candidates(numbers["boxes"].reshape(-1, 4), numbers["confidences"], numbers["classes"]),
            numbers["labels"].reshape(-1, 5),
        )
