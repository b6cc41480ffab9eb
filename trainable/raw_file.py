"""The file of raw predictions: a Parquet file with a row per image and in its schema what it was made from.

It can be written and read as a stream, a few images at a time, and is there whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import torch

from data_prep.durable import replacing, write_error
from data_prep.errors import WorkFailedError
from trainable.validation import Letterbox

CHUNK = 32
"""Images that are written and read together."""
_ABOUT = b"hypsweep"
_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("original", pa.list_(pa.int32(), 2)),
        ("letterbox", pa.list_(pa.float64(), 4)),
        ("size", pa.list_(pa.int32(), 2)),
        ("boxes", pa.list_(pa.float32())),
        ("confidences", pa.list_(pa.float32())),
        ("classes", pa.list_(pa.int16())),
        ("labels", pa.list_(pa.float32())),
    ]
)


class RawImage(NamedTuple):
    """What a network says of one image, before NMS.

    Attributes:
        file:
            The image.
        letterbox:
            How it was brought to the network's input.
        size:
            Height and width of that input in pixels.
        candidates:
            Shape (rows, 6), float32: xyxy in pixels of the input, confidence, class; most confident first.
        labels:
            Shape (boxes, 5), float32: class, xywh normalised to the input.
    """

    file: str
    letterbox: Letterbox
    size: tuple[int, int]
    candidates: torch.Tensor
    labels: torch.Tensor


class RawWriter:
    """Writes images to an open Parquet file; see :func:`writing`."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._rows: list[dict[str, Any]] = []

    def add(self, image: RawImage) -> None:
        """Write one more image."""
        rows = image.candidates.cpu().numpy()
        (height, width), ((ratio_h, ratio_w), (pad_w, pad_h)) = image.letterbox
        self._rows.append(
            {
                "file": image.file,
                "original": [height, width],
                "letterbox": [ratio_h, ratio_w, pad_w, pad_h],
                "size": list(image.size),
                "boxes": rows[:, :4].ravel(),
                "confidences": rows[:, 4],
                "classes": rows[:, 5].astype(np.int16),
                "labels": image.labels.numpy().ravel(),
            }
        )
        if len(self._rows) == CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write what was held back."""
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, self._writer.schema))
            self._rows.clear()


@contextmanager
def writing(path: Path, about: Mapping[str, Any]) -> Iterator[RawWriter]:
    """Write a file of raw predictions, which takes the place of ``path`` when the block ends.

    Args:
        path:
            The file.
        about:
            What the predictions depend on; JSON can hold it.

    Raises:
        DiskFullError, WorkFailedError: It cannot be written; what was there is still there.
    """
    schema = _SCHEMA.with_metadata({_ABOUT: json.dumps(about, sort_keys=True)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
            raw = RawWriter(writer)
            yield raw
            raw.flush()
    except OSError as error:
        raise write_error(f"{path} cannot be written", error) from error


class RawFile:
    """A file of raw predictions that is there and whole, to go through as often as one likes.

    Attributes:
        path:
            The file.
        about:
            What :func:`writing` was told.
    """

    def __init__(self, path: Path, about: Mapping[str, Any], images: int) -> None:
        self.path, self.about, self._images = path, about, images

    def __len__(self) -> int:
        return self._images

    def __iter__(self) -> Iterator[RawImage]:
        """The images, of which :data:`CHUNK` are in memory.

        Raises:
            WorkFailedError: The file is damaged or gone.
        """
        try:
            with pq.ParquetFile(self.path) as file:
                for group in range(file.num_row_groups):
                    yield from map(_image_of, _rows_of(file.read_row_group(group)))
        except (OSError, pa.ArrowException, ValueError) as error:
            message = f"{self.path} can no longer be read; delete it and run the command again, which makes it anew."
            raise WorkFailedError(message) from error


def find_raw(path: Path, about: Mapping[str, Any]) -> RawFile | None:
    """Open a file of raw predictions; None where there is none, or a damaged one, or one of anything else."""
    if not path.is_file():  # to open a FIFO would be to wait for it
        return None
    try:
        with pq.ParquetFile(path) as file:
            held = json.loads((file.schema_arrow.metadata or {}).get(_ABOUT, b"null"))
            same = held == json.loads(json.dumps(about)) and file.schema_arrow.equals(_SCHEMA)
            return RawFile(path, held, file.metadata.num_rows) if same else None
    except (OSError, pa.ArrowException, ValueError):
        return None


def _rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of a table; the numbers of a list as an array, without an object for each."""
    columns = {field.name: table.column(field.name) for field in _SCHEMA}
    for index in range(table.num_rows):
        row = {name: column[index] for name, column in columns.items()}
        yield {name: value.as_py() if name == "file" else value.values.to_numpy() for name, value in row.items()}


def _image_of(row: Mapping[str, Any]) -> RawImage:
    ratio_h, ratio_w, pad_w, pad_h = row["letterbox"].tolist()
    columns = (row["boxes"].reshape(-1, 4), row["confidences"][:, None], row["classes"][:, None].astype(np.float32))
    height, width = row["original"].tolist()
    size_h, size_w = row["size"].tolist()
    return RawImage(
        row["file"],
        ((height, width), ((ratio_h, ratio_w), (pad_w, pad_h))),
        (size_h, size_w),
        torch.from_numpy(np.concatenate(columns, 1)),
        torch.from_numpy(row["labels"].reshape(-1, 5).copy()),
    )
