"""The sweep against every setting by itself: YOLOv5's NMS at that threshold, its matching, its metrics."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from map_boxes import mean_average_precision_for_boxes

from tests.trainable.raw_images import cut_images
from tests.trainable.thresholds.directly import detections, map_of, matched, working_point
from trainable.nms import VAL, NmsSettings
from trainable.raw_file import RawFile
from trainable.thresholds.grid import Grid, distance
from trainable.thresholds.measures import parse_measure
from trainable.thresholds.sweep import Swept, sweep
from trainable.thresholds.table import Labels
from trainable.yolov5_parts import xywh2xyxy

GRID = Grid(ious=(0.3, 0.75), confidences=(0.02, 0.3, 0.9), max_detections=(3, 300), agnostic=(False, True))
HALF = np.arange(0, 30, 2)
EVERYTHING = np.arange(30)


def swept(raw: RawFile, metric: str, match_iou: float = 0.5) -> Swept:
    return sweep(raw, Labels.of(raw, 3), GRID, parse_measure(metric, match_iou), [EVERYTHING, HALF])


@pytest.mark.parametrize(("metric", "column"), [("map50", 0), ("map75", 5), ("map50_95", None)])
def test_average_precision_equals_yolov5s(raw: RawFile, metric: str, column: int | None) -> None:
    found, images = swept(raw, metric), list(raw)
    assert len(found.cells) == 3 * 4 * 2 * 2  # the defaults are added to each axis
    for subset, chosen in enumerate((EVERYTHING, HALF)):
        for cell, settings in list(enumerate(found.cells))[:: 1 if subset else 5]:
            expected = map_of(matched(cut_images(images, chosen), settings), column)
            assert found.values[subset, cell] == pytest.approx(expected, abs=1e-12), settings
    assert found.values[0].max() > 0.2


def test_fitness_is_that_of_the_metrics(raw: RawFile) -> None:
    fitness, ap50, ap = (swept(raw, metric).values for metric in ("fitness", "map50", "map50_95"))
    np.testing.assert_allclose(fitness, 0.1 * ap50 + 0.9 * ap, atol=1e-12)


@pytest.mark.parametrize(("metric", "which"), [("precision@recall=0.6", 0), ("recall@precision=0.6", 1), ("f1", 2)])
@pytest.mark.parametrize(("match_iou", "column"), [(0.5, 0), (0.75, 5)])
def test_working_points_are_counted(raw: RawFile, metric: str, which: int, match_iou: float, column: int) -> None:
    found, images = swept(raw, metric, match_iou), list(raw)
    for cell, settings in enumerate(found.cells):
        expected = working_point(matched(cut_images(images, HALF), settings), column)
        assert found.values[1, cell] == pytest.approx(expected[which], abs=1e-12), settings
        if which < 2:
            assert found.held[1, cell] == pytest.approx(expected[1 - which], abs=1e-12)


@pytest.mark.parametrize("cell", [0, 7, 20, 40])
def test_score75_equals_map_boxes(raw: RawFile, cell: int) -> None:
    found = swept(raw, "score75")
    truth, said = [], []
    for image in raw:
        boxes = xywh2xyxy(image.labels[:, 1:])
        truth += [
            [image.file, str(int(kind)), *box] for kind, box in zip(image.labels[:, 0], _order(boxes), strict=True)
        ]
        rows = detections(image, found.cells[cell])
        side = image.size[0]
        said += [
            [image.file, str(int(row[5])), float(row[4]), *box]
            for row, box in zip(rows, _order(rows[:, :4].clamp(0, side) / side), strict=True)
        ]
    columns = ["XMin", "XMax", "YMin", "YMax"]
    expected, _ = mean_average_precision_for_boxes(
        pd.DataFrame(truth, columns=["ImageID", "LabelName", *columns]),
        pd.DataFrame(said, columns=["ImageID", "LabelName", "Conf", *columns]),
        iou_threshold=0.75,
        verbose=False,
    )
    assert found.values[0, cell] == pytest.approx(expected, abs=1e-9)


def _order(boxes: object) -> list[list[float]]:
    return [[x1, x2, y1, y2] for x1, y1, x2, y2 in boxes.tolist()]  # type: ignore[attr-defined]


def test_among_equals_the_closest_to_the_defaults_is_best() -> None:
    cells = GRID.cells()
    assert Swept(cells, np.zeros((1, len(cells))), np.zeros((1, len(cells))), None).best(0) == cells.index(VAL)
    values = np.array([[float(cell.iou == 0.75) for cell in cells]])
    best = cells[Swept(cells, values, values, None).best(0)]
    assert best == NmsSettings(VAL.confidence, 0.75, VAL.max_detections, VAL.agnostic)
    assert distance(VAL) == (0.0,) * 5


def test_what_is_asked_for_goes_before_the_value() -> None:
    cells = GRID.cells()[:3]
    values, held = np.array([[0.9, 0.8, 0.7]]), np.array([[0.1, 0.5, 0.6]])
    assert Swept(cells, values, held, 0.5).best(0) == 1
    assert Swept(cells, values, held, 0.9).best(0) == 2  # none reaches it
    assert not Swept(cells, values, held, 0.9).reached(0, 2)
    assert Swept(cells, values, held, None).best(0) == 0
