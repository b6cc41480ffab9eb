"""The commands about finished weights: ``thresholds``, ``errors``, ``predict``, ``score``, ``onnx``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tests.search.command_line import Cli, assert_refused, only_json, snapshot
from tests.trainable.pictures import link_coco_livestock

pytestmark = pytest.mark.timeout(120)
ANSWERS = """ImageID,LabelName,XMin,XMax,YMin,YMax
a.jpg,cow,0.1,0.3,0.1,0.3
a.jpg,pig,0.5,0.9,0.5,0.9
b.jpg,cow,0.1,0.3,0.1,0.3
"""
PREDICTIONS = """ImageID,LabelName,Conf,XMin,XMax,YMin,YMax
a.jpg,cow,0.9,0.1,0.3,0.1,0.3
a.jpg,pig,0.8,0.5,0.9,0.5,0.8
"""
SIZE = ("--image-size", 96, "--device", "cpu")


@pytest.fixture(scope="module")
def data(livestock: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve real pictures labelled in COCO's classes."""
    return link_coco_livestock(livestock, tmp_path_factory.mktemp("coco"), step=18)


def test_thresholds_then_predict(cli: Cli, data: Path, yolov5n_weights: Path, tmp_path: Path) -> None:
    chosen = cli("thresholds", yolov5n_weights, data, *SIZE, "--out", "t", "--resamples", 5, "--json")
    assert chosen.code == 0, chosen
    content = only_json(chosen.out)
    assert content["metric"] == "score75"
    assert content == yaml.safe_load((tmp_path / "t" / "thresholds.yaml").read_text())

    shown = cli("thresholds", yolov5n_weights, data, *SIZE, "--out", "t", "--resamples", 5, "--metric", "f1")
    assert (shown.code, shown.err) == (0, "")
    assert "gain in f1 on images that it was not chosen on" in shown.out
    assert shown.out.splitlines()[-1] == f"thresholds: {Path('t') / 'thresholds.yaml'}"

    known = ("--thresholds", "t/thresholds.yaml")
    found = cli(
        "predict", yolov5n_weights, data, "--split", "val", "-o", "out.csv", *known, "--device", "cpu", "--json"
    )
    assert found.code == 0, found
    said, wanted = only_json(found.out), yaml.safe_load((tmp_path / "t" / "thresholds.yaml").read_text())
    assert {name: said[name] for name in wanted["chosen"]} == wanted["chosen"]
    assert (said["image_size"], said["pictures"], said["unreadable"]) == (96, 12, [])
    assert len((tmp_path / "out.csv").read_text().splitlines()) == said["boxes"] + 1

    given = ("--conf", 0.5, "--iou", 0.3, "--max-det", 2, "--agnostic")
    other = cli("predict", yolov5n_weights, data, "-o", "o.json", *known, *given, "--json")
    said = only_json(other.out)
    assert (said["confidence"], said["iou"], said["max_detections"], said["agnostic"]) == (0.5, 0.3, 2, True)


def test_errors_shows_what_goes_wrong_and_where_it_is_written(
    cli: Cli, data: Path, yolov5n_weights: Path, tmp_path: Path
) -> None:
    made = cli("errors", yolov5n_weights, data, *SIZE, "-o", "e", "--json")
    assert made.code == 0, made
    content = only_json(made.out)
    assert content == json.loads((tmp_path / "e" / "errors.json").read_text())
    assert content["working"]["confidence_from"] == "the best mean F1 on these pictures"

    shown = cli("errors", yolov5n_weights, data, *SIZE, "-o", "e", "--iou", 0.75, "--confidence", 0.3)
    assert (shown.code, shown.err) == (0, "")
    assert "predict: " not in shown.out  # the network did not run again
    assert "AP at IoU 0.75" in shown.out
    for kind in content["errors"]:
        assert kind in shown.out
    assert "precision, recall and errors at confidence 0.3, from --confidence" in shown.out
    assert shown.out.splitlines()[-1] == f"page: {Path('e') / 'errors.html'}"
    assert_refused(cli("errors", yolov5n_weights, data, *SIZE, "-o", "f", "--iou", 0.05), "--iou is 0.05")
    assert_refused(cli("errors", yolov5n_weights, data, *SIZE, "--missing-precision", 2), "rule for missing labels")
    (tmp_path / "g").write_text("in the way")
    assert_refused(cli("errors", yolov5n_weights, data, *SIZE, "-o", "g"), "g", code=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e", "g"]


def test_thresholds_beside_the_weights_are_taken_and_named(
    cli: Cli, data: Path, yolov5n_weights: Path, tmp_path: Path
) -> None:
    shutil.copy(yolov5n_weights, tmp_path / "weights.pt")
    ordinary = only_json(cli("predict", "weights.pt", data, "-o", "a.csv", *SIZE, "--json").out)
    assert (ordinary["thresholds"], ordinary["confidence"], ordinary["iou"]) == (None, 0.25, 0.45)
    chosen = {"confidence": 0.125, "iou": 0.5, "max_detections": 7, "agnostic": True}
    for name, confidence in (("thresholds.yaml", 0.125), ("other.yaml", 0.375)):
        (tmp_path / name).write_text(yaml.safe_dump({"chosen": {**chosen, "confidence": confidence}}))

    said = only_json(cli("predict", "weights.pt", data, "-o", "b.csv", *SIZE, "--json").out)
    assert said["thresholds"] == "thresholds.yaml"
    assert {name: said[name] for name in chosen} == chosen
    other = cli("predict", "weights.pt", data, "-o", "c.csv", *SIZE, "--thresholds", "other.yaml", "--iou", 0.6)
    assert "confidence 0.375, IoU 0.6, at most 7 a picture" in other.out
    assert "thresholds: other.yaml\n" in other.out


def test_weights_become_onnx(cli: Cli, data: Path, yolov5n_weights: Path, tmp_path: Path) -> None:
    found = cli("onnx", yolov5n_weights, "-o", "w.onnx", "--image-size", "64x96", "--pictures", data)
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("input: an image 96x64, float32, between 0 and 1; output: boxes before NMS\n")
    assert "px (allowed 0.05; 1890 boxes)" in found.out
    assert "on noise and pictures (4)\n" in found.out
    said = only_json(cli("onnx", yolov5n_weights, "-o", "w.onnx", "--image-size", 64, "--dynamic", "--json").out)
    assert (said["path"], said["image_size"], said["dynamic"], said["opset"]) == ("w.onnx", [64, 64], True, 12)
    assert said["megabytes"] == (tmp_path / "w.onnx").stat().st_size / 1e6

    assert_refused(cli("onnx", data, "-o", "x.onnx"), "is no YOLOv5 checkpoint")
    assert_refused(cli("onnx", yolov5n_weights, "-o", "x.onnx", "--half", "--dynamic"), "--half and --dynamic")
    assert_refused(cli("onnx", yolov5n_weights, "-o", "x.onnx", "--image-size", "big"), "384x640")
    assert_refused(cli("onnx", yolov5n_weights, "-o", "x.pt"), r"ends with \.onnx")
    (tmp_path / "x.onnx").mkdir()
    place = ("-o", "x.onnx", "--image-size", 64)
    assert_refused(cli("onnx", yolov5n_weights, *place), r"x\.onnx: the ONNX file cannot be written", code=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.onnx", "x.onnx"]


def test_a_broken_picture_ends_with_1_when_the_others_are_written(
    cli: Cli, yolov5n_weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    cv2.imwrite("in/good.png", np.full((64, 64, 3), 99, np.uint8))
    (tmp_path / "in" / "bad.jpg").write_text("no picture")

    found = cli("predict", yolov5n_weights, "in", "-o", "labels", *SIZE)

    assert found.code == 1
    assert [path.name for path in (tmp_path / "labels").iterdir()] == ["good.txt"]
    assert "1 pictures could not be read" in found.out


def test_what_is_wrong_is_said_in_one_sentence(cli: Cli, data: Path, yolov5n_weights: Path, tmp_path: Path) -> None:
    shutil.copy(yolov5n_weights, tmp_path / "weights.pt")
    (tmp_path / "train.yaml").write_text(yaml.safe_dump({"train_split": "full", "data": str(data)}))
    assert_refused(cli("thresholds", "weights.pt", data, *SIZE), r"train\.yaml: these weights were trained on `full`")
    assert_refused(cli("errors", "weights.pt", data, *SIZE), r"train\.yaml: these weights were trained on `full`")
    assert_refused(cli("thresholds", "elsewhere/gone.pt", data, *SIZE), r"gone\.pt: the weights cannot be read")
    assert_refused(cli("predict", yolov5n_weights, "gone", "-o", "x.csv", *SIZE), "gone cannot be read")
    assert_refused(cli("predict", yolov5n_weights, data, "-o", "x.xml", *SIZE), "give --format csv, yolo or coco")
    assert_refused(cli("predict", yolov5n_weights, data, "-o", "x.csv", "--conf", 2), "confidence threshold is 2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.yaml", "weights.pt"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    answer, prediction = tmp_path / "answer.csv", tmp_path / "prediction.csv"
    answer.write_text(ANSWERS)
    prediction.write_text(PREDICTIONS)
    return answer, prediction


def test_score_shows_each_class_and_the_mean(cli: Cli, files: tuple[Path, Path]) -> None:
    before = snapshot(files[0].parent)
    found = cli("score", *files)

    assert (found.code, found.err) == (0, "")
    assert [line.split("│")[1:-1] for line in found.out.splitlines() if "│" in line] == [
        [" cow   ", " 0.50000 ", "       2 ", "           1 ", "     1 "],
        [" pig   ", " 1.00000 ", "       1 ", "           1 ", "     1 "],
        [" mAP   ", " 0.75000 ", "       3 ", "           2 ", "     2 "],
    ]
    assert "IoU 0.75" in found.out
    assert snapshot(files[0].parent) == before


def test_score_as_json_is_the_mean_and_the_classes_alone(cli: Cli, files: tuple[Path, Path]) -> None:
    assert only_json(cli("score", *files, "--json").out) == {"map": 0.75, "per_class": {"cow": 0.5, "pig": 1.0}}
    found = cli("score", *files, "--json", "--iou", "0.8")
    assert only_json(found.out) == {"map": 0.25, "per_class": {"cow": 0.5, "pig": 0.0}}
    assert found.err == ""


def test_remarks_leave_json_alone(cli: Cli, files: tuple[Path, Path]) -> None:
    files[1].write_text(f"{PREDICTIONS}c.jpg,cow,0.5,0.1,0.2,0.1,0.2\n")
    found = cli("score", *files, "--json")

    assert only_json(found.out)["map"] == 0.75
    assert found.err == f"predictions that count nowhere, on images that {files[0]} does not name: 1\n"
    assert "count nowhere" in cli("score", *files).out


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    ("old", "new", "pattern"), [("XMin", "left", "no column `XMin`"), ("0.3\n", "x\n", ", line 2: `YMax` is 'x'")]
)
def test_score_refuses_by_name(
    cli: Cli, files: tuple[Path, Path], which: int, old: str, new: str, pattern: str
) -> None:
    files[which].write_text(files[which].read_text().replace(old, new, 1))

    assert_refused(cli("score", *files, "--json"), files[which].name, pattern)


def test_score_refuses_what_is_missing_empty_or_in_other_units(cli: Cli, files: tuple[Path, Path]) -> None:
    answer, prediction = files
    assert_refused(cli("score", answer, answer.parent / "none.csv"), r"none\.csv cannot be read", "check the path")
    answer.write_text(ANSWERS.splitlines()[0])
    assert_refused(cli("score", answer, prediction), r"answer\.csv has no box")
    answer.write_text(ANSWERS.splitlines()[0] + "\na.jpg,cow,100,300,100,300\n")
    assert_refused(cli("score", answer, prediction), r"prediction\.csv looks normalised .*answer\.csv is in pixels")
    assert_refused(cli("score", answer, prediction, "--iou", "75"), "--iou", r"see `hypsweep score --help`")


def test_an_empty_prediction_file_has_0(cli: Cli, files: tuple[Path, Path]) -> None:
    files[1].write_text(PREDICTIONS.splitlines()[0])

    assert only_json(cli("score", *files, "--json").out) == {"map": 0.0, "per_class": {"cow": 0.0, "pig": 0.0}}
