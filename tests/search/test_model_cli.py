"""The commands about finished weights: ``thresholds`` and ``predict``."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tests.search.command_line import Cli, assert_refused, only_json
from tests.trainable.pictures import link_coco_livestock

pytestmark = pytest.mark.timeout(120)
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
    assert_refused(cli("thresholds", "elsewhere/gone.pt", data, *SIZE), r"gone\.pt: the weights cannot be read")
    assert_refused(cli("predict", yolov5n_weights, "gone", "-o", "x.csv", *SIZE), "gone cannot be read")
    assert_refused(cli("predict", yolov5n_weights, data, "-o", "x.xml", *SIZE), "give --format csv, yolo or coco")
    assert_refused(cli("predict", yolov5n_weights, data, "-o", "x.csv", "--conf", 2), "confidence threshold is 2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.yaml", "weights.pt"]
