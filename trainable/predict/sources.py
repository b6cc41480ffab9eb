"""Where pictures come from: a folder, an archive, a list, a split, a video, one picture; read as YOLOv5 reads them.

Nothing is unpacked to disk, and pictures are looked at before they are decoded (:mod:`data_prep.images`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.dataset import listed_images, read_data_yaml
from data_prep.errors import InputError
from data_prep.images import examine_image
from data_prep.readers.matching import inner_path, pictures_in
from data_prep.records import IMAGE_SUFFIXES, Source
from data_prep.store import RawStore
from data_prep.text import printable
from trainable.bank_check import LIMITS
from trainable.yolov5_parts import VID_FORMATS

Pixels = npt.NDArray[np.uint8]


class Picture(NamedTuple):
    """One picture.

    Attributes:
        name:
            What predictions call it: its file name, with folders where another picture has the same one.
        pixels:
            Shape (h, w, 3), BGR, as shown (EXIF orientation applied).
    """

    name: str
    pixels: Pixels


class Unreadable(NamedTuple):
    """A picture that cannot be read.

    Attributes:
        source:
            The file, for messages.
        reason:
            Why, in a few words.
    """

    source: str
    reason: str


Load = Callable[[], Picture | Unreadable]


@dataclass(frozen=True)
class Pictures:
    """The pictures of a source.

    Attributes:
        total:
            How many there are; of a video as far as it says.
        names:
            Their names; None where they are not known before (a video).
        loads:
            Goes through them once; each is read when it is called, in any thread.
    """

    total: int
    names: tuple[str, ...] | None
    loads: Callable[[], Iterator[Load]]


@contextmanager
def open_source(path: Path, split: str | None = None) -> Iterator[Pictures]:
    """Open a source of pictures.

    Args:
        path:
            A folder, a zip or tar archive, a ``.txt`` list, a ``data.yaml``, a video or a picture.
        split:
            Of a ``data.yaml``; None takes ``test``, or ``val`` where there is none.

    Raises:
        InputError: It is not there, holds no picture, or is dangerous (:class:`data_prep.store.RawStore`).
    """
    if path.suffix.lower().removeprefix(".") in VID_FORMATS and path.is_file():
        with _video(path) as pictures:
            yield pictures
        return
    if split is not None and path.suffix.lower() not in (".yaml", ".yml"):
        raise InputError(f"{path} is no data.yaml, so it has no split {split}; leave out --split.")
    with RawStore(LIMITS) as store:
        sources, names = found_pictures(store, path, split)
        loads = [partial(load_picture, store, source, name) for source, name in zip(sources, names, strict=True)]
        yield Pictures(len(loads), tuple(names), lambda: iter(loads))


def found_pictures(store: RawStore, path: Path, split: str | None) -> tuple[list[Source], list[str]]:
    """The pictures of a source that is no video, and their names; see :func:`open_source`."""
    suffix = path.suffix.lower()
    if path.is_dir() or suffix not in IMAGE_SUFFIXES | {".txt", ".yaml", ".yml"}:
        sources = pictures_in(store, path, "SOURCE")
        return sources, picture_names([inner_path(source, path) for source in sources])
    if suffix == ".txt":
        files = listed_images(path, Path.cwd())
        if not files:
            raise InputError(f"{path} lists no picture; write one path a line.")
    elif suffix in IMAGE_SUFFIXES:
        files = [path]
    else:
        data = read_data_yaml(path)
        files = data.images(split or ("test" if "test" in data.splits else "val"))
    files = list(dict.fromkeys(files))
    return [Source(file) for file in files], picture_names([file.as_posix() for file in files])


def picture_names(paths: Sequence[str]) -> list[str]:
    """File names, or whole paths where two have the same file name."""
    names = [PurePosixPath(path).name for path in paths]
    counts = Counter(name.casefold() for name in names)
    return [path if counts[name.casefold()] > 1 else name for path, name in zip(paths, names, strict=True)]


def load_picture(store: RawStore, source: Source, name: str) -> Picture | Unreadable:
    """Read and decode one picture."""
    try:
        content = store.read(source)
    except InputError as error:
        return Unreadable(str(source), str(error).removeprefix(f"{source} "))
    flaw = examine_image(content, LIMITS).flaw
    if flaw is not None:
        return Unreadable(str(source), flaw.detail.partition("; raise `limits.")[0])
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        return Unreadable(str(source), "cannot be decoded by OpenCV, with which YOLOv5 reads pictures")
    return Picture(name, np.asarray(pixels, np.uint8))


@contextmanager
def _video(path: Path) -> Iterator[Pictures]:
    """Frames of a video, named ``<stem>_<frame>`` from 1 on, as ``yolov5 detect`` names their label files."""
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise InputError(f"{printable(str(path))} is no video that OpenCV can read; convert it to another format.")
        yield Pictures(max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 1), None, partial(_frames, path, capture))
    finally:
        capture.release()


def _frames(path: Path, capture: cv2.VideoCapture) -> Iterator[Load]:
    number = 0
    while True:
        read, pixels = capture.read()
        if not read:
            break
        number += 1
        yield partial(Picture, f"{path.stem}_{number}", np.asarray(pixels, np.uint8))
    if number == 0:
        yield partial(Unreadable, str(path), "holds no frame that OpenCV can decode")
