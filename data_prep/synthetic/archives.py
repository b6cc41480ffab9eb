"""Writes a drawn herd as the four AI Hub archives."""

from __future__ import annotations

import json
import zipfile
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from data_prep.errors import InputError, WorkFailedError
from data_prep.readers.aihub import ArchivePair, livestock_archives
from data_prep.synthetic.scenes import Corners, draw_scene
from data_prep.synthetic.shapes import Picture

#: Picture sizes of the real data (width, height in pixels) and, per species, the share of the first.
_FULL_SIZES = ((1920, 1080), (1280, 960))
_SHARE_OF_FIRST = {"pig": 0.73, "cow": 1.0}
_SHARE_EMPTY = 0.02
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can state; the clock would change the bytes
#: The trap of the real data: ids and names that say nothing about pig or cow.
_CATEGORIES = [{"id": 1, "name": "standing"}, {"id": 2, "name": "lying"}, {"id": 3, "name": "cow"}]


def draw_herd(
    out: Path, *, images: int = 300, seed: int = 0, image_scale: float = 1 / 6, cow_share: float = 0.75
) -> None:
    """Draw a herd of pigs and cows and write it as the four AI Hub archives with their Korean names.

    The same arguments give the same archives. Archives of the same names in ``out`` are replaced, each at
    once.

    Args:
        out:
            Folder for the archives; made if missing.
        images:
            Number of pictures of both species together, at least 2.
        seed:
            Draws everything; another seed is another herd in the same style.
        image_scale:
            Size of a picture relative to the real 1920 x 1080 and 1280 x 960 pixels; 1/6 gives 320 x 180 and
            213 x 160.
        cow_share:
            Share of the pictures that show cows; 3 : 1 as in the real data.

    Raises:
        InputError: An argument is out of its range.
        WorkFailedError: The archives cannot be written.
    """
    _require("images", images, 2, 999_999)
    _require("image_scale", image_scale, 0.05, 1)
    _require("cow_share", cow_share, 0, 1)
    cows = min(max(round(images * cow_share), 1), images - 1)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for index, (species, count) in enumerate({"pig": images - cows, "cow": cows}.items()):
            rngs = [np.random.default_rng((seed, index, number)) for number in range(count)]
            _write_species(out, species, livestock_archives()[species], rngs, image_scale)
    except OSError as error:
        raise WorkFailedError(f"{out} cannot be written ({error.strerror}); choose another folder") from error


def _require(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"`{name}` (={value}) must lie between {low} and {high}; correct it")


def _write_species(out: Path, species: str, pair: ArchivePair, rngs: list[np.random.Generator], scale: float) -> None:
    with ExitStack() as stack:
        images = stack.enter_context(_new_archive(out / pair.images))
        labels = stack.enter_context(_new_archive(out / pair.labels))
        empty = _empty_ones(len(rngs))
        for number, rng in enumerate(rngs):
            width, height = _size(species, scale, rng)
            picture, boxes = draw_scene(species, width, height, number in empty, rng)
            stem = f"livestock_{species}_bbox_{number:06d}"
            label = _label(f"{stem}.jpg", width, height, boxes, rng)
            _add(images, f"{stem}.jpg", _jpeg(picture))
            _add(labels, f"{stem}.json", json.dumps(label, ensure_ascii=False).encode())
    for name in (pair.images, pair.labels):
        _partial(out / name).replace(out / name)


def _partial(archive: Path) -> Path:
    return archive.with_name(f".{archive.name}.partial")


def _new_archive(archive: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(_partial(archive), "w", zipfile.ZIP_STORED)


def _empty_ones(count: int) -> set[int]:
    """Return the numbers of the pictures without animal, spread evenly; none in the smallest herds."""
    empty = round(count * _SHARE_EMPTY)
    return {int(number) for number in np.linspace(0, count, empty, endpoint=False)} if empty else set()


def _size(species: str, scale: float, rng: np.random.Generator) -> tuple[int, int]:
    width, height = _FULL_SIZES[0 if rng.random() < _SHARE_OF_FIRST[species] else 1]
    return round(width * scale), round(height * scale)


def _label(name: str, width: int, height: int, boxes: list[Corners], rng: np.random.Generator) -> dict[str, object]:
    """Return a label of the real structure; its ``category_id`` is drawn by lot."""
    annotations = [
        {"id": index, "bbox": list(box), "category_id": int(rng.integers(1, 4))}
        for index, box in enumerate(boxes, start=1)
    ]
    image = {"file_name": name, "width": width, "height": height}
    return {"label_info": {"image": image, "annotations": annotations, "categories": _CATEGORIES}}


def _jpeg(picture: Picture) -> bytes:
    encoded, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    if not encoded:
        raise WorkFailedError(f"OpenCV could not encode a picture of shape {picture.shape}; report this")
    return content.tobytes()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), content)
