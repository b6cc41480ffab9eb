"""Predictions against stock YOLOv5's own pipeline, from every kind of source."""

from __future__ import annotations

import csv
import json
import logging
import shutil
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from yolov5.utils.dataloaders import LoadImages
from yolov5.utils.general import non_max_suppression, scale_boxes

from data_prep.errors import InputError
from trainable.detector import load_detector
from trainable.nms import DETECT, VAL, NmsSettings
from trainable.predict import PredictOptions, Summary, predict

SIZE = 160
AGNOSTIC = NmsSettings(0.1, 0.6, 4, agnostic=True)


@pytest.fixture(scope="module")
def folder(livestock: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six real pictures, of three shapes, one of them turned by EXIF."""
    place = tmp_path_factory.mktemp("pictures") / "images"
    place.mkdir()
    files = sorted((livestock.parent / "images" / "test").iterdir())
    for file in [*files[:2], *files[-4:]]:
        shutil.copy(file, place)
    picture = Image.open(files[0])
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.crop((0, 0, 400, 250)).save(place / "turned.jpg", exif=exif)
    return place


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def options(**changes: object) -> PredictOptions:
    return PredictOptions(**{"image_size": SIZE, "device": "cpu", **changes})  # type: ignore[arg-type]


def run(weights: Path, source: Path, out: Path, **changes: object) -> Summary:
    return predict(weights, source, out, options(**changes))


def stock(weights: Path, source: Path, settings: NmsSettings) -> dict[str, np.ndarray]:
    """As `yolov5.detect.run` has it, up to its rounding: rows of xyxy, confidence, class by file name."""
    model, found = load_detector(weights, device="cpu").model, {}
    for path, im, im0, _, _ in LoadImages(str(source), img_size=SIZE, stride=32, auto=True):
        pixels = torch.from_numpy(im).float()[None] / 255
        with torch.inference_mode():
            predictions = model(pixels)[0]
        (rows,) = non_max_suppression(
            predictions.clone(), settings.confidence, settings.iou, agnostic=settings.agnostic, multi_label=True,
            max_det=settings.max_detections,
        )  # fmt: skip
        rows[:, :4] = scale_boxes(pixels.shape[2:], rows[:, :4], im0.shape)
        found[Path(path).name] = rows.numpy()
    return found


def read_csv(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    found: dict[str, list[list[float]]] = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            edges = [float(row[key]) for key in ("XMin", "YMin", "XMax", "YMax")]
            found.setdefault(row["ImageID"], []).append([*edges, float(row["Conf"]), names.index(row["LabelName"])])
    return {name: np.array(rows) for name, rows in found.items()}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("settings", [VAL, DETECT, AGNOSTIC])
def test_it_equals_stock_detect(folder: Path, yolov5n_weights: Path, tmp_path: Path, settings: NmsSettings) -> None:
    expected = stock(yolov5n_weights, folder, settings)

    summary = run(yolov5n_weights, folder, tmp_path / "out.csv", settings=settings)

    found = read_csv(tmp_path / "out.csv", load_detector(yolov5n_weights, device="cpu").names)
    assert summary == (7, sum(map(len, expected.values())), (), SIZE)
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "ImageID,LabelName,Conf,XMin,XMax,YMin,YMax"
    assert len(expected) == 7
    assert sum(map(len, expected.values())) > 10
    for name, rows in expected.items():
        assert len(found.get(name, ())) == len(rows)
        if len(rows):
            np.testing.assert_allclose(found[name][:, :4], rows[:, :4], atol=1e-3)
            np.testing.assert_array_equal(found[name][:, 4].astype(np.float32), rows[:, 4])
            np.testing.assert_array_equal(found[name][:, 5], rows[:, 5])


@pytest.mark.timeout(120)
def test_the_formats_say_the_same(folder: Path, yolov5n_weights: Path, tmp_path: Path) -> None:
    for out in ("out.csv", "out.json", "labels"):
        run(yolov5n_weights, folder, tmp_path / out)
    names = load_detector(yolov5n_weights, device="cpu").names
    expected = read_csv(tmp_path / "out.csv", names)

    coco = json.loads((tmp_path / "out.json").read_text())
    assert len(coco) == sum(map(len, expected.values())) > 0
    for name, rows in expected.items():
        mine = [row for row in coco if row["image_id"] == Path(name).stem]
        x1, y1, width, height = np.array([row["bbox"] for row in mine]).T
        boxes = np.stack([x1, y1, x1 + width, y1 + height, [row["score"] for row in mine]], 1)
        np.testing.assert_allclose(boxes, rows[:, :5], atol=1e-3)
        assert [row["category_id"] for row in mine] == rows[:, 5].tolist()
    files = sorted((tmp_path / "labels").iterdir())
    assert [file.stem for file in files] == sorted(file.stem for file in folder.iterdir())
    for file in files:
        picture = cv2.imread(str(next(folder.glob(f"{file.stem}.*"))))
        rows = expected.get(next(folder.glob(f"{file.stem}.*")).name, np.zeros((0, 6)))
        labels = np.array([[float(x) for x in line.split()] for line in file.read_text().splitlines()]).reshape(-1, 6)
        side = np.array(picture.shape[1::-1] * 2)
        centre, extent = labels[:, 1:3], labels[:, 3:5]
        boxes = np.concatenate([centre - extent / 2, centre + extent / 2], 1) * side
        np.testing.assert_allclose(boxes, rows[:, :4], atol=2e-3)
        np.testing.assert_array_equal(labels[:, 0], rows[:, 5])
        np.testing.assert_allclose(labels[:, 5], rows[:, 4])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["zip", "tar", "list", "relative list", "yaml", "picture"])
def test_every_source_gives_what_its_folder_gives(
    kind: str, folder: Path, yolov5n_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / {"zip": "a.zip", "tar": "a.tar", "yaml": "data.yaml", "picture": "x.jpg"}.get(kind, "a.txt")
    files = sorted(folder.iterdir())
    if kind == "zip":
        with zipfile.ZipFile(source, "w") as archive:
            for file in files:
                archive.write(file, f"deep/{file.name}")
    elif kind == "tar":
        with tarfile.open(source, "w") as tar:
            for file in files:
                tar.add(file, file.name)
    elif kind == "yaml":
        source.write_text(f"train: {folder}\nval: {tmp_path}\ntest: {folder}\nnames: [a]\n")
    elif kind == "picture":
        source, files = files[0], files[:1]
    else:
        monkeypatch.chdir(folder)
        shown = [file.name if kind == "relative list" else str(file) for file in files]
        source.write_text("\n".join(shown + shown[:1]))
    run(yolov5n_weights, folder, tmp_path / "expected.csv")

    found = run(yolov5n_weights, source, tmp_path / "found.csv")

    lines = (tmp_path / "expected.csv").read_text().splitlines()[1:]
    wanted = sorted(line for line in lines if line.split(",")[0] in {file.name for file in files})
    assert sorted((tmp_path / "found.csv").read_text().splitlines()[1:]) == wanted
    assert wanted
    assert found.pictures == len(files)


@pytest.mark.timeout(120)
def test_a_video_is_predicted_frame_by_frame(folder: Path, yolov5n_weights: Path, tmp_path: Path) -> None:
    video, frames = tmp_path / "pen.3.avi", tmp_path / "frames"
    frames.mkdir()
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 5, (320, 192))
    for file in sorted(folder.iterdir())[:4]:
        writer.write(cv2.resize(cv2.imread(str(file)), (320, 192)))
    writer.release()
    capture = cv2.VideoCapture(str(video))
    for number in range(1, 5):
        cv2.imwrite(str(frames / f"pen.3_{number}.png"), capture.read()[1])

    told: list[tuple[str, int, int]] = []
    summary = predict(yolov5n_weights, video, tmp_path / "v.csv", options(settings=VAL), lambda *now: told.append(now))
    run(yolov5n_weights, frames, tmp_path / "f.csv", settings=VAL)
    run(yolov5n_weights, video, tmp_path / "labels", pictures=tmp_path / "drawn")

    assert (summary.pictures, told[-1]) == (4, ("predict", 4, 4))
    assert (tmp_path / "v.csv").read_text() == (tmp_path / "f.csv").read_text().replace(".png,", ",")
    names = [f"pen.3_{number}" for number in range(1, 5)]
    assert listed(tmp_path / "labels") == [f"{name}.txt" for name in names]
    assert listed(tmp_path / "drawn") == [f"{name}.jpg" for name in names]


def test_a_folder_of_pictures_is_never_written_over(folder: Path, yolov5n_weights: Path, tmp_path: Path) -> None:
    run(yolov5n_weights, folder, tmp_path / "out.csv", pictures=tmp_path / "drawn")
    before = listed(tmp_path / "drawn")
    assert before == [f"{file.stem}.jpg" for file in sorted(folder.iterdir())]
    with pytest.raises(InputError, match="drawn is there already"):
        run(yolov5n_weights, folder, tmp_path / "out.csv", pictures=tmp_path / "drawn")
    assert listed(tmp_path / "drawn") == before


def test_a_picture_that_cannot_be_read_is_named_and_left_out(
    folder: Path, yolov5n_weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "mixed"
    place.mkdir()
    good = sorted(folder.iterdir())[0]
    shutil.copy(good, place / "b.jpg")
    (place / "a.jpg").write_bytes(good.read_bytes()[:3000])
    (place / "c.png").write_text("no picture")
    cv2.imwrite(str(place / "d.png"), np.zeros((1, 4000, 3), np.uint8))
    (place / "notes.txt").write_text("left alone")

    with caplog.at_level(logging.WARNING):
        found = run(yolov5n_weights, place, tmp_path / "labels")

    assert (found.pictures, len(found.unreadable)) == (1, 3)
    assert listed(tmp_path / "labels") == ["b.txt"]
    for name, reason in (("a.jpg", "ends too early"), ("c.png", "is no JPEG"), ("d.png", "is 4000x1")):
        assert any(name in text and reason in text for text in caplog.messages), (name, caplog.messages)


def test_where_nothing_can_be_read_nothing_is_written(yolov5n_weights: Path, tmp_path: Path) -> None:
    place = tmp_path / "bad"
    place.mkdir()
    (place / "a.jpg").write_text("no picture")
    (tmp_path / "out.csv").write_text("old")

    for out in ("out.csv", "new.json", "labels"):
        with pytest.raises(InputError, match=r"a\.jpg and all other pictures cannot be read"):
            run(yolov5n_weights, place, tmp_path / out, pictures=tmp_path / "drawn")

    assert listed(tmp_path) == ["bad", "out.csv"]
    assert (tmp_path / "out.csv").read_text() == "old"


@pytest.mark.parametrize(
    ("source", "out", "said"),
    [
        ("gone", "out.csv", "gone cannot be read"),
        ("empty", "out.csv", "empty holds no picture"),
        ("twins", "labels", r"twin\.jpg and twin\.png would both be written to twin"),
        ("twins", "out.xml", "not to be seen in which format"),
        ("fake.mp4", "out.csv", r"fake\.mp4 is no video"),
        ("gone.txt", "out.csv", "gone.txt cannot be read"),
    ],
)
def test_wrong_input_is_refused(yolov5n_weights: Path, tmp_path: Path, source: str, out: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "twins").mkdir()
    for suffix in ("jpg", "png"):
        cv2.imwrite(str(tmp_path / "twins" / f"twin.{suffix}"), np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "fake.mp4").write_text("no video")

    with pytest.raises(InputError, match=said):
        run(yolov5n_weights, tmp_path / source, tmp_path / out)

    assert not (tmp_path / out).exists()


def test_pictures_of_the_same_name_are_told_apart_by_their_folders(yolov5n_weights: Path, tmp_path: Path) -> None:
    for pen in ("pen1", "pen2"):
        (tmp_path / "in" / pen).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "in" / pen / "a.png"), np.full((40, 40, 3), 90, np.uint8))

    run(yolov5n_weights, tmp_path / "in", tmp_path / "labels")

    assert sorted(str(path.relative_to(tmp_path / "labels")) for path in (tmp_path / "labels").rglob("*.txt")) == [
        "pen1/a.txt",
        "pen2/a.txt",
    ]
