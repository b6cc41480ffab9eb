"""Where predictions go: a submission CSV, YOLO label files, COCO results; each there whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from data_prep.durable import replacing, write_error
from data_prep.errors import InputError
from data_prep.records import IMAGE_SUFFIXES
from trainable.predict.sources import Picture

COLUMNS = ("ImageID", "LabelName", "Conf", "XMin", "XMax", "YMin", "YMax")
"""Of the submission form, in pixels."""
FORMATS = ("csv", "yolo", "coco")


class Predicted(NamedTuple):
    """The detections of a picture.

    Attributes:
        picture:
            The picture.
        boxes:
            Shape (n, 4), float32: xyxy in pixels of the picture, clipped to it; most confident first.
        confidence:
            Shape (n,), float32.
        kind:
            Shape (n,): class ids.
    """

    picture: Picture
    boxes: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    kind: npt.NDArray[np.int64]


class Sink(Protocol):
    """Takes the predictions of one picture after another."""

    def __call__(self, predicted: Predicted, /) -> None:
        """Take those of one more picture."""


def format_of(path: Path, wanted: str | None = None) -> str:
    """The format of a file to write: the one that is asked for, or that its suffix means.

    Raises:
        InputError: Neither says which.
    """
    known = {".csv": "csv", ".json": "coco", "": "yolo"}
    found = wanted or known.get(path.suffix.lower())
    if found not in FORMATS:
        raise InputError(f"{path}: it is not to be seen in which format to write; give --format csv, yolo or coco.")
    return found


@contextmanager
def csv_sink(path: Path, names: Sequence[str]) -> Iterator[Sink]:
    """Write a line per box in the submission form: ``ImageID,LabelName,Conf,XMin,XMax,YMin,YMax``, pixels."""
    with _file(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)

        def write(predicted: Predicted) -> None:
            for (x1, y1, x2, y2), confidence, kind in _rows(predicted):
                edges = (f"{edge:.4f}" for edge in (x1, x2, y1, y2))
                writer.writerow([predicted.picture.name, names[kind], _confidence(confidence), *edges])

        try:
            yield write
        finally:
            text.detach()  # who opened the file closes it


@contextmanager
def coco_sink(path: Path) -> Iterator[Sink]:
    """Write COCO results: a JSON list of ``image_id``, ``category_id`` (class id), ``bbox`` (xywh, pixels), ``score``.

    ``image_id`` is the name without its suffix, a number where it is one (``yolov5.val.save_one_json``).
    """
    with _file(path) as file:
        first = True

        def write(predicted: Predicted) -> None:
            nonlocal first
            stem = stem_of(predicted.picture.name)
            image: int | str = int(stem) if stem.isascii() and stem.isdecimal() else stem
            for (x1, y1, x2, y2), confidence, kind in _rows(predicted):
                box = [round(value, 4) for value in (x1, y1, x2 - x1, y2 - y1)]
                row = {"image_id": image, "category_id": kind, "bbox": box, "score": float(_confidence(confidence))}
                file.write(b"[\n" if first else b",\n")
                file.write(json.dumps(row, ensure_ascii=False).encode())
                first = False

        yield write
        file.write(b"[]\n" if first else b"\n]\n")


@contextmanager
def yolo_sink(folder: Path) -> Iterator[Sink]:
    """Write a label file per picture: class, centre x, centre y, width, height (normalised), confidence.

    A picture without a box gets an empty file, so that it can be told from one that could not be read.
    """
    with new_folder(folder) as draft:

        def write(predicted: Predicted) -> None:
            height, width = predicted.picture.pixels.shape[:2]
            lines = []
            for (x1, y1, x2, y2), confidence, kind in _rows(predicted):
                centre = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
                lines.append(" ".join((str(kind), *(f"{part:.6f}" for part in centre), _confidence(confidence))))
            place = inside(draft, predicted.picture.name, ".txt")
            place.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

        yield write


def stem_of(name: str) -> str:
    """The name of a picture without its suffix; a frame of a video has none."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else name


def inside(folder: Path, name: str, suffix: str) -> Path:
    """The place in a folder for a file that belongs to a picture; the picture's own folders are kept."""
    place = folder.joinpath(*(part for part in PurePosixPath(stem_of(name) + suffix).parts if part not in ("/", "..")))
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def refuse_clashes(names: Sequence[str] | None) -> None:
    """Refuse pictures whose files would overwrite each other (``a.jpg`` and ``a.png``).

    Raises:
        InputError: There are such.
    """
    seen: dict[str, str] = {}
    for name in names or ():
        stem = stem_of(name)
        other = seen.setdefault(stem.casefold(), name)
        if other != name:
            raise InputError(f"{other} and {name} would both be written to {stem}; rename one of them.")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder that appears, whole, when the block ends.

    Raises:
        DiskFullError, WorkFailedError: It cannot be written.
        InputError: There is something at its place already.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} is there already; remove it, or choose another name.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            yield draft
            draft.chmod(0o755)  # mkdtemp makes it private
            draft.replace(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise write_error(f"{folder} cannot be written", error) from error


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise write_error(f"{path} cannot be written", error) from error


def _rows(predicted: Predicted) -> Iterator[tuple[list[float], np.float32, int]]:
    for box, confidence, kind in zip(predicted.boxes, predicted.confidence, predicted.kind, strict=True):
        yield box.tolist(), confidence, int(kind)


def _confidence(value: np.float32) -> str:
    """The shortest text that stands for it: a rounded one would make ties, and so another order."""
    return np.format_float_positional(value, trim="-")
