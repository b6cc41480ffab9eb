"""The same few pictures and boxes in every format that a reader knows. Pictures hold no bytes: no reader opens one."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.findings import Kind
from data_prep.progress import silent
from data_prep.readers import Reader
from data_prep.records import UNKNOWN_CLASS_ID, RawDataset, RawImage
from data_prep.store import RawStore

#: Class name and ``x1, y1, x2, y2``.
Named = tuple[str, float, float, float, float]


@dataclass(frozen=True)
class Picture:
    stem: str
    boxes: tuple[Named, ...] = ()
    width: int = 64
    height: int = 48

    @property
    def file(self) -> str:
        return f"{self.stem}.jpg"


PICTURES = (
    Picture("a", (("pig", 4, 5, 24, 15), ("cow", 1, 2, 60, 40))),
    Picture("b", (("cow", 10, 10, 20, 30),)),
    Picture("c", (("pig", 0, 0, 64, 48), ("pig", 2.5, 3.25, 9, 9), ("cow", 30, 20, 31, 21))),
)


def read(reader: Reader) -> RawDataset:
    with RawStore() as store:
        return reader.read(store, silent)


def by_key(raw: RawDataset) -> dict[str, RawImage]:
    assert len({image.key for image in raw.images}) == len(raw.images)
    return {image.key: image for image in raw.images}


def flaws(image: RawImage) -> list[tuple[Kind, str]]:
    return [(flaw.kind, flaw.detail) for flaw in image.flaws]


def kinds(raw: RawDataset) -> Counter[Kind]:
    """Of the flaws and findings."""
    return Counter(found.kind for found in [*raw.findings, *(flaw for image in raw.images for flaw in image.flaws)])


def named_boxes(raw: RawDataset, image: RawImage) -> list[Named]:
    """The boxes of a picture with class names instead of ids, in the unit of the picture."""
    found = []
    for box in image.boxes:
        name = "?" if box.class_id == UNKNOWN_CLASS_ID else raw.names[box.class_id]
        found.append((name, box.x1, box.y1, box.x2, box.y2))
    return found


def coco(pictures: Sequence[Picture], names: Sequence[str], *, first_id: int = 1, step: int = 7) -> dict[str, Any]:
    """COCO JSON with sparse category ids."""
    ids = {name: first_id + step * index for index, name in enumerate(names)}
    images, annotations = [], []
    for number, picture in enumerate(pictures):
        entry = {"id": 100 + number, "file_name": picture.file, "width": picture.width, "height": picture.height}
        images.append(entry)
        for name, x1, y1, x2, y2 in picture.boxes:
            box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "image_id": 100 + number, "category_id": ids[name]}
            annotations.append({"id": len(annotations) + 1, **box, "iscrowd": 0, "area": (x2 - x1) * (y2 - y1)})
    categories = [{"id": ids[name], "name": name, "supercategory": "animal"} for name in reversed(names)]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


def voc(picture: Picture) -> str:
    objects = "".join(
        f"<object><name>{name}</name><pose>Left</pose><difficult>0</difficult>"
        f"<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
        for name, x1, y1, x2, y2 in picture.boxes
    )
    size = f"<size><width>{picture.width}</width><height>{picture.height}</height><depth>3</depth></size>"
    return f"<annotation><folder>x</folder><filename>old.png</filename>{size}{objects}</annotation>"


def aihub(picture: Picture) -> dict[str, Any]:
    boxes = [{"bbox": [*corners], "category_id": 2} for _, *corners in picture.boxes]
    image = {"width": picture.width, "height": picture.height, "file_name": picture.file}
    return {"label_info": {"image": image, "annotations": boxes, "categories": [{"id": 2, "name": "cow"}]}}


def table(pictures: Sequence[Picture], *, normalised: bool = True, suffix: bool = True) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"])
    for picture in pictures:
        w, h = (picture.width, picture.height) if normalised else (1, 1)
        for name, x1, y1, x2, y2 in picture.boxes:
            writer.writerow([picture.file if suffix else picture.stem, name, x1 / w, x2 / w, y1 / h, y2 / h])
    return text.getvalue()


def yolo(picture: Picture, names: Sequence[str]) -> str:
    rows = []
    for name, x1, y1, x2, y2 in picture.boxes:
        w, h = picture.width, picture.height
        values = ((x1 + x2) / 2 / w, (y1 + y2) / 2 / h, (x2 - x1) / w, (y2 - y1) / h)
        rows.append(" ".join([str(names.index(name)), *map(repr, values)]))
    return "".join(f"{row}\n" for row in rows)


def write_pictures(folder: Path, pictures: Sequence[Picture]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        path = folder / picture.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def write_coco(folder: Path, pictures: Sequence[Picture], names: Sequence[str]) -> tuple[Path, Path]:
    """Write the JSON and the pictures; returns both paths."""
    images = write_pictures(folder / "images", pictures)
    path = folder / "instances.json"
    path.write_text(json.dumps(coco(pictures, names)))
    return path, images


def write_voc(folder: Path, pictures: Sequence[Picture]) -> tuple[Path, Path]:
    """Write the XMLs and the pictures; returns both folders."""
    images = write_pictures(folder / "JPEGImages", pictures)
    for picture in pictures:
        path = folder / "Annotations" / f"{picture.stem}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(voc(picture))
    return folder / "Annotations", images


def write_table(folder: Path, pictures: Sequence[Picture], *, normalised: bool = True) -> tuple[Path, Path]:
    """Write the table and the pictures; returns both paths."""
    images = write_pictures(folder / "images", pictures)
    path = folder / "boxes.csv"
    path.write_text(table(pictures, normalised=normalised))
    return path, images


def write_yolo_set(folder: Path, pictures: Sequence[Picture], names: Sequence[str]) -> Path:
    """Write a YOLO data set, the first picture as val; returns its data.yaml."""
    for number, picture in enumerate(pictures):
        split = "train" if number else "val"
        write_pictures(folder / "images" / split, [picture])
        (folder / "labels" / split).mkdir(parents=True, exist_ok=True)
        (folder / "labels" / split / f"{picture.stem}.txt").write_text(yolo(picture, names))
    path = folder / "data.yaml"
    path.write_text(f"train: images/train\nval: images/val\nnames: [{', '.join(names)}]\n")
    return path


def write_aihub(folder: Path, pictures: Sequence[Picture], name: str = "pig") -> dict[str, Any]:
    """Write the two archives of one class, stored; returns the ``classes`` of the reader."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "images.zip", "w") as images, zipfile.ZipFile(folder / "labels.zip", "w") as labels:
        for picture in pictures:
            images.writestr(picture.file, b"")
            labels.writestr(f"{picture.stem}.json", json.dumps(aihub(picture)))
    return {name: {"images": "images.zip", "labels": "labels.zip"}}
