"""The same boxes, written in every format, are read back the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.findings import Kind
from data_prep.progress import Progress
from data_prep.readers import AihubReader, CocoReader, CsvReader, ImagesReader, Reader, VocReader, YoloReader
from data_prep.store import RawStore
from tests.data_prep.readers import builders
from tests.data_prep.readers.builders import PICTURES, Named, Picture, by_key, kinds, named_boxes, read

NAMES = ("pig", "cow", "돼지 새끼")


@st.composite
def pictures(draw: st.DrawFn) -> list[Picture]:
    """One to five pictures with whole-numbered boxes inside them, boxes without area among them."""
    found = []
    for number in range(draw(st.integers(1, 5))):
        width, height = draw(st.integers(1, 4000)), draw(st.integers(1, 4000))
        boxes: list[Named] = []
        for _ in range(draw(st.integers(0, 4))):
            x1, x2 = sorted(draw(st.tuples(st.integers(0, width), st.integers(0, width))))
            y1, y2 = sorted(draw(st.tuples(st.integers(0, height), st.integers(0, height))))
            boxes.append((draw(st.sampled_from(NAMES)), x1, y1, x2, y2))
        found.append(Picture(f"{number % 2}/picture {number}", tuple(boxes), width, height))
    return found


def readers(folder: Path, herd: list[Picture]) -> list[Reader]:
    coco, coco_images = builders.write_coco(folder / "coco", herd, NAMES)
    voc, voc_images = builders.write_voc(folder / "voc", herd)
    pixels, pixel_images = builders.write_table(folder / "pixels", herd, normalised=False)
    fractions, fraction_images = builders.write_table(folder / "fractions", herd)
    yolo = folder / "yolo"
    for picture in herd:
        builders.write_pictures(yolo / "images", [picture])
        label = yolo / "labels" / f"{picture.stem}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(builders.yolo(picture, NAMES))
    (yolo / "data.yaml").write_text("train: images\nval: images\nnames: [pig, cow, 돼지 새끼]\n")
    return [
        CocoReader(annotations=coco, images=coco_images, classes=NAMES),
        VocReader(annotations=voc, images=voc_images, classes=NAMES),
        CsvReader(annotations=pixels, images=pixel_images, classes=NAMES, normalised=False),
        CsvReader(annotations=fractions, images=fraction_images, classes=NAMES),
        YoloReader(data=yolo / "data.yaml"),
    ]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(pictures())
def test_every_format_gives_the_same_boxes(herd: list[Picture]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for reader in readers(Path(folder), herd):
            raw = read(reader)
            assert raw.names == NAMES
            for picture in herd:
                # A YOLO set has every picture twice here, in train and in val.
                for image in (one for one in raw.images if one.source and one.source.stem == Path(picture.stem).name):
                    found = named_boxes(raw, image)
                    if not image.normalised:
                        assert found == list(picture.boxes)
                        continue
                    w, h = picture.width, picture.height
                    pixels = [(name, x1 * w, y1 * h, x2 * w, y2 * h) for name, x1, y1, x2, y2 in found]
                    assert [row[0] for row in pixels] == [row[0] for row in picture.boxes]
                    for row, box in zip(pixels, picture.boxes, strict=True):
                        assert row[1:] == pytest.approx(box[1:], abs=1e-8)
            unlisted = sum(not picture.boxes for picture in herd) if isinstance(reader, CsvReader) else 0
            assert kinds(raw).total() == unlisted  # a table does not mention empty pictures


def every_reader(folder: Path) -> dict[str, tuple[Reader, int]]:
    """A reader of each kind and the number of its pictures."""
    coco, images = builders.write_coco(folder / "coco", PICTURES, NAMES)
    voc, voc_images = builders.write_voc(folder / "voc", PICTURES)
    table, _ = builders.write_table(folder / "csv", PICTURES)
    classes = builders.write_aihub(folder / "aihub", PICTURES)
    return {
        "aihub": (AihubReader(folder=folder / "aihub", classes=classes), 3),
        "coco": (CocoReader(annotations=coco, images=images), 3),
        "csv": (CsvReader(annotations=table, image_size=(64, 48)), 3),
        "images": (ImagesReader(images=images), 3),
        "voc": (VocReader(annotations=voc, images=voc_images), 3),
        "yolo": (YoloReader(data=builders.write_yolo_set(folder / "yolo", PICTURES, NAMES)), 3),
    }


@pytest.mark.parametrize("name", ["aihub", "coco", "csv", "images", "voc", "yolo"])
def test_what_holds_for_every_reader(name: str, tmp_path: Path) -> None:
    reader, count = every_reader(tmp_path)[name]
    steps: list[tuple[str, int, int]] = []

    def note(stage: str, done: int, total: int) -> None:
        steps.append((stage, done, total))

    progress: Progress = note
    with RawStore() as store:
        raw = reader.read(store, progress)
        assert reader.read(store, note) == raw
    assert steps[:count] == [("read", number, count) for number in range(1, count + 1)]
    assert by_key(raw).keys() == {"a", "b", "c"}
    assert raw.root.is_absolute()
    assert type(reader).model_fields["reader"].default == name
    assert set(reader.usual) == {Kind.IMAGE_WITHOUT_LABEL}
    assert type(reader).model_config["frozen"]
