"""From weights to thresholds.yaml."""

from __future__ import annotations

import csv
from dataclasses import astuple
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from PIL import Image

from data_prep.errors import InputError
from trainable.hyp import Hyp
from trainable.judge import judge
from trainable.nms import VAL, NmsSettings
from trainable.settings import TrainSettings
from trainable.thresholds import Grid, ThresholdOptions, read_thresholds, tune_thresholds

SIZE = 160
GRID = Grid(ious=(0.45,), confidences=(0.1,), max_detections=(300,), agnostic=(False, True))
OPTIONS = ThresholdOptions(metric="map75", image_size=SIZE, device="cpu", grid=GRID, resamples=20)


@pytest.mark.timeout(120)
def test_what_is_left_of_a_choice(coco_livestock: Path, yolov5n_weights: Path, tmp_path: Path) -> None:
    told: list[str] = []
    choice, content = tune_thresholds(
        yolov5n_weights, coco_livestock, tmp_path, OPTIONS, lambda stage, done, total: told.append(stage)
    )

    assert set(told) == {"predict", "sweep", "resample"}
    settings = TrainSettings(data=str(coco_livestock), epochs=1, model="yolov5n", image_size=SIZE, device="cpu")
    judged = judge(yolov5n_weights, settings, Hyp(), data=coco_livestock, split="val").overall
    assert astuple(choice.default.metrics) == pytest.approx(astuple(judged), abs=1e-12)
    assert choice.default.value == pytest.approx(judged.map75, abs=1e-12)
    assert judged.map75 > 0.1

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "grid.csv", "heat_map.png", "raw_predictions.parquet", "thresholds.yaml",
    ]  # fmt: skip
    assert yaml.safe_load((tmp_path / "thresholds.yaml").read_text()) == content
    assert read_thresholds(tmp_path / "thresholds.yaml").settings == choice.chosen.settings
    assert read_thresholds(tmp_path / "thresholds.yaml").image_size == SIZE
    assert content["model"] == "yolov5n"
    assert len(content["weights_sha256"]) == 64
    rows = list(csv.DictReader((tmp_path / "grid.csv").open()))
    assert len(rows) == len(choice.swept.cells) == 8
    assert max(float(row["map75"]) for row in rows) == pytest.approx(choice.chosen.value, abs=1e-6)
    with Image.open(BytesIO((tmp_path / "heat_map.png").read_bytes())) as picture:
        assert picture.format == "PNG"

    told.clear()
    other = ThresholdOptions(**{**vars(OPTIONS), "metric": "recall@precision=0.3", "split": "valid"})
    again, _ = tune_thresholds(
        yolov5n_weights, coco_livestock, tmp_path, other, lambda stage, done, total: told.append(stage)
    )
    assert set(told) == {"sweep", "resample"}  # the network did not run again
    assert again.chosen.held is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "map60"}, "the metric is 'map60': choose one of"),
        ({"metric": "precision@recall=1.5"}, "the metric is 'precision@recall=1.5'"),
        ({"match_iou": 0.52}, "--match-iou is 0.52"),
        ({"split": "test"}, "no key `test`"),
        ({"folds": 1}, "1 folds"),
    ],
)
def test_wrong_options_are_refused(
    coco_livestock: Path, yolov5n_weights: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        tune_thresholds(yolov5n_weights, coco_livestock, tmp_path, ThresholdOptions(**{**vars(OPTIONS), **changes}))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({"ious": (1.2,)}, "IoU threshold of NMS is 1.2"),
        ({"confidences": (0.0001,)}, "the grid has the confidence 0.0001"),
        ({"max_detections": (0,)}, "most detections"),
    ],
)
def test_a_grid_out_of_range_is_refused(axes: dict[str, tuple[float, ...]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Grid(**axes)  # type: ignore[arg-type]


def test_the_defaults_are_in_every_grid() -> None:
    assert VAL in Grid(ious=(0.2,), confidences=(0.5,), max_detections=(7,), agnostic=(True,)).cells()


CHOSEN = {"confidence": 0.01, "iou": 0.7, "max_detections": 100, "agnostic": True}


def test_thresholds_written_by_hand_are_read(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(yaml.safe_dump({"chosen": CHOSEN}))
    found = read_thresholds(tmp_path / "t.yaml")
    assert (found.settings, found.image_size) == (NmsSettings(0.01, 0.7, 100, agnostic=True), None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "`chosen` must have exactly"),
        ({"chosen": {**CHOSEN, "more": 1}}, "`chosen` must have exactly"),
        ({"chosen": {**CHOSEN, "iou": "high"}}, "`chosen.iou` is 'high'"),
        ({"chosen": {**CHOSEN, "max_detections": True}}, "`chosen.max_detections` is True"),
        ({"chosen": {**CHOSEN, "iou": 7.0}}, r"t\.yaml: the IoU threshold of NMS is 7\.0"),
        ({"chosen": CHOSEN, "image_size": "big"}, "`image_size` is 'big'"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: dict[str, object], said: str) -> None:
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=said):
        read_thresholds(tmp_path / "t.yaml")
