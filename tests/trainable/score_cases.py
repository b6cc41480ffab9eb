"""Tables of answers and predictions, random and degenerate, and what map-boxes and pycocotools make of them."""

from __future__ import annotations

import contextlib
import io
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from map_boxes import mean_average_precision_for_boxes
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from trainable.score import Score

ANSWER = ["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"]
PREDICTION = ["ImageID", "LabelName", "Conf", "XMin", "XMax", "YMin", "YMax"]
CORNERS = ANSWER[2:]


class Case(NamedTuple):
    answers: pd.DataFrame
    predictions: pd.DataFrame
    iou: float


def table(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Answers (image, class, x1, x2, y1, y2), or predictions with the confidence after the class."""
    columns = PREDICTION if rows and len(rows[0]) == len(PREDICTION) else ANSWER
    return pd.DataFrame(rows, columns=columns)


NOTHING = pd.DataFrame(columns=PREDICTION)


def assert_like_map_boxes(case: Case, ours: Score) -> None:
    """Mean, classes and AP of each are equal to 1e-9; the number of answers is equal."""
    # Its own reading of empty cells fails on recent pandas, so it gets them as the text that it made of them.
    answers = case.answers.assign(LabelName=case.answers["LabelName"].replace("", "nan"))
    mean, per_class = mean_average_precision_for_boxes(
        answers[ANSWER].to_numpy(object), case.predictions[PREDICTION].to_numpy(object), case.iou, verbose=False
    )
    found = ours.as_dict()
    assert set(found["per_class"]) == set(per_class)
    for name, (average_precision, count) in per_class.items():
        assert abs(found["per_class"][name] - average_precision) <= 1e-9
        assert ours.per_class[name].answers == count
    assert abs(found["map"] - mean) <= 1e-9


def random_case(rng: np.random.Generator, most: int) -> Case:
    """Up to ``most`` answers and predictions; of everything that may be in the way, each case has some."""
    images = [f"{number}.jpg" for number in range(rng.integers(1, 8))]
    classes = [f"class {number}" for number in range(rng.integers(1, 5))]
    answers = _boxes(rng, int(rng.integers(1, most + 1)), images[: rng.integers(1, len(images) + 1)], classes)
    if rng.random() < 0.3:  # images without a box
        empty = pd.DataFrame({"ImageID": rng.choice(images, 2), "LabelName": rng.choice(["", "nan"], 2)})
        answers = pd.concat([answers, empty]).sample(frac=1, random_state=int(rng.integers(2**31)))
    count = int(rng.integers(0, most + 1))
    anywhere = _boxes(rng, count, images, [*classes, "unknown"])
    near = answers[answers["LabelName"].str.startswith("class")].sample(count, replace=True, random_state=rng)
    chosen = np.where(rng.random(count) < 0.8, np.arange(count), np.arange(count, 2 * count))
    predictions = pd.concat([near, anywhere]).iloc[chosen].reset_index(drop=True)
    moved = rng.random(count) < rng.choice([0, 0.5, 1])
    shift = rng.choice([1, 0.1, 0.01]) * rng.normal(0, 1, (count, 4)).round(int(rng.integers(1, 4)))
    predictions[CORNERS] = predictions[CORNERS].to_numpy(float) + shift * moved[:, None]
    predictions.insert(2, "Conf", _confidences(rng, count))
    if rng.random() < 0.5:
        predictions = predictions.sort_values(["ImageID", "Conf"], ascending=[True, False])
    iou = float(rng.choice([0, 0.25, 0.5, 0.75, 0.75, 0.9, 1, rng.random()]))
    return Case(answers.reset_index(drop=True), predictions.reset_index(drop=True), iou)


def _boxes(rng: np.random.Generator, count: int, images: list[str], classes: list[str]) -> pd.DataFrame:
    """Boxes on a grid, whose overlaps are often equal or just at a threshold, anywhere, or in pixels."""
    kind = rng.integers(3)
    first, second = rng.integers(0, 9, (2, count, 2)) / 8 if kind == 0 else rng.random((2, count, 2))
    least, most = np.minimum(first, second), np.maximum(first, second)
    turned = rng.random(count) < 0.05
    least[turned], most[turned] = most[turned], least[turned]
    flat = rng.random((count, 2)) < 0.03
    most[flat] = least[flat]
    corners = np.stack([least[:, 0], most[:, 0], least[:, 1], most[:, 1]], axis=1)
    found = pd.DataFrame((corners * 1920).round() if kind == 2 else corners, columns=CORNERS)
    found.insert(0, "LabelName", rng.choice(classes, count))
    found.insert(0, "ImageID", rng.choice(images, count))
    return found


def _confidences(rng: np.random.Generator, count: int) -> np.ndarray:
    """All different, few different, or all equal."""
    return rng.random(count).round(int(rng.choice([15, 1, 0])))


def area_by_coco(case: Case, label: str) -> float:
    """Area under the envelope by pycocotools: the mean of its precisions at the recalls that there can be."""
    answers, predictions = (
        frame[frame["LabelName"] == label].reset_index(drop=True) for frame in (case.answers, case.predictions)
    )
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": image} for image in case.answers["ImageID"].unique()],
        "categories": [{"id": 1}],
        "annotations": [
            {"id": number + 1, "iscrowd": 0, "area": row["bbox"][2] * row["bbox"][3], **row}
            for number, row in enumerate(_coco_rows(answers))
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        scores = [{"score": score} for score in predictions["Conf"]]
        found = truth.loadRes([row | score for row, score in zip(_coco_rows(predictions), scores, strict=True)])
        judge = COCOeval(truth, found, "bbox")
        judge.params.iouThrs, judge.params.maxDets = np.array([case.iou]), [1, 10, len(predictions)]
        judge.params.recThrs = np.arange(1, len(answers) + 1) / len(answers)
        judge.evaluate()
        judge.accumulate()
    return float(judge.eval["precision"][0, :, 0, 0, -1].mean())


def _coco_rows(boxes: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"image_id": image, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
        for image, x1, x2, y1, y2 in boxes[["ImageID", *CORNERS]].itertuples(index=False)
    ]
