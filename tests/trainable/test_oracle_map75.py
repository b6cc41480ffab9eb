"""mAP75 against ``map-boxes`` and pycocotools: where the three agree, by how much they may differ, and why.

One precision-recall curve, three areas under it. With V the area under its envelope up to the recall R that was
reached (map-boxes, Pascal VOC 2010) and p the precision of all detections:

- pycocotools takes the mean of the envelope at the 101 recalls 0, 0.01 ... 1. For a curve that falls, that is within
  0.01 of V.
- YOLOv5 joins the curve's end (R, p) to (1, 0) by a straight line, which adds (1 - R) p / 2, and takes the trapezoids
  between the same 101 recalls, which for a curve that falls is within 0.005 of the area. A perfect detector has 0.995.

The curves are the same ones unless a detection overlaps two labels of its class by the threshold, or a class has more
than 100 detections on a picture.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.trainable.scenes import Box, Scene, by_coco, by_map_boxes, by_us, contested, curves, overlap
from tests.trainable.stock_server import StockServer, validation_spec
from trainable.weights import build_model, load_state, transfer

COCO_BOUND, TRAPEZOIDS = 0.01, 0.005
ROUNDING = 1e-6


def within_bounds(scene: Scene, most: int = 300) -> None:
    ours, boxes, coco, ends = by_us(scene), by_map_boxes(scene), by_coco(scene, most=most), curves(scene)
    for kind in scene.classes:
        tail = (1 - ends[kind].recall) * ends[kind].precision / 2
        assert abs(coco[kind] - boxes[kind]) <= COCO_BOUND + ROUNDING
        assert abs(ours[kind] - boxes[kind] - tail) <= TRAPEZOIDS + ROUNDING


CELL = 40
"""Labels lie in a grid of cells of so many pixels, so that no detection can overlap two by 0.75."""


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Up to 40 labels on 4 pictures; detections on them, beside them, twice on one, of the wrong class."""
    places = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=40, unique=True))
    labels, boxes = [], []
    for image, cell in places:
        kind, side = draw(st.integers(0, 1)), draw(st.integers(8, CELL))
        box: Box = (cell * CELL, 0, cell * CELL + side, side)
        labels.append((image, kind, box))
        for _ in range(draw(st.integers(0, 2))):
            guess = (box[0] + draw(st.integers(-3, 3)), box[1] + draw(st.integers(-3, 3)), box[2], box[3])
            boxes.append((image, draw(st.sampled_from([kind, kind, kind, 1 - kind])), guess))
    for _ in range(draw(st.integers(1, 10))):
        x = draw(st.integers(0, 300))
        boxes.append((draw(st.integers(0, 4)), draw(st.integers(0, 2)), (x, 60, x + 20, 90)))
    order = draw(st.permutations(range(len(boxes))))
    sure = [(place + 1) / (len(boxes) + 1) for place in order]
    return Scene(labels, [(image, kind, c, box) for (image, kind, box), c in zip(boxes, sure, strict=True)])


@pytest.mark.slow
@pytest.mark.timeout(60)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(scenes())
def test_any_scene_is_within_the_bounds(scene: Scene) -> None:
    assert contested(scene) == 0

    within_bounds(scene)


@pytest.fixture(scope="module")
def real_scene(coco_livestock: Path, yolov5n_weights: Path, stock: StockServer) -> Scene:
    """What pretrained yolov5n finds on validation pictures of livestock_a, at YOLOv5's validation thresholds."""
    model = build_model("yolov5n", 80)
    transfer(model, load_state(yolov5n_weights), keep_anchors=False)
    theirs = stock.validate(validation_spec(model.state_dict(), coco_livestock, 160, 16, stock.folder))
    files = sorted((coco_livestock.parent / "images").iterdir())
    number = {str(file): index for index, file in enumerate(files)}
    labels = [label for file in files for label in read_boxes(file, number[str(file)])]
    detections = [
        (number[file], int(kind), sure, (x1, y1, x2, y2))
        for file, rows in theirs["detections"].items()
        for x1, y1, x2, y2, sure, kind in rows
    ]
    return Scene(labels, detections)


def read_boxes(image: Path, number: int) -> list[tuple[int, int, Box]]:
    width, height = Image.open(image).size
    rows = [line.split() for line in (image.parents[1] / "labels" / f"{image.stem}.txt").read_text().splitlines()]
    found = []
    for kind, *numbers in rows:
        x, y, w, h = (float(value) for value in numbers)
        box = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
        found.append((number, int(kind), box))
    return found


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_real_pictures_are_within_the_bounds(real_scene: Scene) -> None:
    assert len(real_scene.detections) > 1000
    assert contested(real_scene) == 0

    within_bounds(real_scene)
    assert 0.1 < np.mean(list(by_us(real_scene).values())) < 0.9


SQUARE: Box = (0, 0, 40, 40)
ELSEWHERE: Box = (100, 100, 140, 140)


def values(scene: Scene) -> tuple[float, float, float]:
    """Of class 0: ours, map-boxes, pycocotools."""
    return by_us(scene)[0], by_map_boxes(scene)[0], by_coco(scene)[0]


def test_perfect_detections_miss_half_a_step_in_yolov5() -> None:
    found = Scene([(i, 0, SQUARE) for i in range(7)], [(i, 0, 0.9 - i / 10, SQUARE) for i in range(7)])

    assert values(found) == pytest.approx((0.995, 1, 1), abs=1e-9)


def test_false_alarms_below_all_hits_change_nothing() -> None:
    found = Scene([(0, 0, SQUARE)], [(0, 0, 0.9, SQUARE), (0, 0, 0.8, ELSEWHERE), (0, 0, 0.7, (200, 0, 220, 20))])

    assert values(found) == pytest.approx((0.995, 1, 1), abs=1e-9)


def test_nothing_right_is_zero_in_all_three() -> None:
    assert values(Scene([(0, 0, SQUARE)], [(0, 0, 0.9, ELSEWHERE)])) == (0, 0, 0)


def test_labels_that_nothing_finds_count_half_in_yolov5() -> None:
    """Half of the labels found, no false alarm: R = 0.5 and p = 1."""
    found = Scene([(i, 0, SQUARE) for i in range(10)], [(i, 0, 0.9 - i / 100, SQUARE) for i in range(5)])

    assert values(found) == pytest.approx((0.75, 0.5, 51 / 101), abs=1e-9)


def test_a_false_alarm_before_the_hit_halves_all_three() -> None:
    found = Scene([(0, 0, SQUARE)], [(0, 0, 0.9, ELSEWHERE), (0, 0, 0.8, SQUARE)])

    assert values(found) == pytest.approx((0.4975, 0.5, 0.5), abs=0.0026)
    assert values(found)[1:] == pytest.approx((0.5, 0.5), abs=1e-9)


def test_of_two_detections_of_a_label_the_more_confident_is_right_in_all_three() -> None:
    """Also where the other one fits better: YOLOv5 sorts by IoU first, and by the order of NMS after it."""
    close: Box = (0, 0, 40, 36)
    found = Scene([(0, 0, SQUARE), (1, 0, SQUARE)], [(0, 0, 0.9, close), (0, 0, 0.8, SQUARE), (1, 0, 0.7, SQUARE)])

    ours, boxes, coco = values(found)

    assert boxes == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert ours == pytest.approx(boxes, abs=TRAPEZOIDS + ROUNDING)
    assert coco == pytest.approx(boxes, abs=COCO_BOUND)


def test_a_contested_label_is_given_away_by_coco_alone() -> None:
    """Both detections fit the first label best; pycocotools gives the second one the label that is left."""
    first, second = (0, 0, 40, 40), (0, 4, 40, 44)
    near_first, nearer = (0, 1, 40, 41), (0, 0, 40, 40)
    assert overlap(near_first, first) > overlap(near_first, second) >= 0.75
    found = Scene([(0, 0, first), (0, 0, second)], [(0, 0, 0.9, nearer), (0, 0, 0.8, near_first)])

    assert contested(found) == 2
    # R = 0.5 and p = 0.5, which YOLOv5's line to (1, 0) makes 0.125 more.
    ours, boxes, coco = values(found)
    assert ours == pytest.approx(0.625, abs=TRAPEZOIDS)
    assert (boxes, coco) == pytest.approx((0.5, 1.0), abs=1e-9)


def test_map_boxes_does_not_look_at_pictures_without_labels() -> None:
    found = Scene([(0, 0, SQUARE)], [(1, 0, 0.9, SQUARE), (0, 0, 0.8, SQUARE)])

    assert by_map_boxes(found, see_backgrounds=False)[0] == 1
    assert values(found) == pytest.approx((0.5, 0.5, 0.5), abs=TRAPEZOIDS)


def test_coco_counts_100_detections_of_a_class_on_a_picture() -> None:
    boxes: list[Box] = [(x * 50, y * 50, x * 50 + 40, y * 50 + 40) for x in range(12) for y in range(10)]
    found = Scene([(0, 0, box) for box in boxes], [(0, 0, 1 - i / 1000, box) for i, box in enumerate(boxes)])

    assert values(found) == pytest.approx((0.995, 1, 1), abs=1e-9)
    assert by_coco(found, most=100)[0] == pytest.approx(84 / 101)  # recalls 0, 0.01 ... 0.83


def test_a_class_without_labels_counts_in_none() -> None:
    found = Scene([(0, 0, SQUARE)], [(0, 0, 0.8, SQUARE), (0, 1, 0.9, ELSEWHERE)])

    assert by_us(found).keys() == by_coco(found).keys() == {0}
    assert values(found) == pytest.approx((0.995, 1, 1), abs=1e-9)


def test_an_overlap_of_exactly_the_threshold_is_a_hit_in_all_three() -> None:
    found = Scene([(0, 0, SQUARE)], [(0, 0, 0.8, (0, 0, 40, 30))])

    assert torch.linspace(0.5, 0.95, 10)[5] == overlap(SQUARE, (0, 0, 40, 30)) == 0.75
    assert values(found) == pytest.approx((0.995, 1, 1), abs=1e-9)
