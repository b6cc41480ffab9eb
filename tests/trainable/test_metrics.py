"""mAP at one IoU against ``map-boxes``, and the shape of what an epoch reports."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from map_boxes import mean_average_precision_for_boxes

from trainable.metrics import ClassMetrics, EpochMetrics, Evaluation, Losses, evaluate_matches
from trainable.validation import _match_batch

SIZE = 100


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("column", "iou"), [(0, 0.5), (5, 0.75)])
def test_matches_agree_with_map_boxes(seed: int, column: int, iou: float) -> None:
    """The matching at one IoU, under the same area: every point, no interpolation.

    What remains is the order of matching: map-boxes goes by confidence, YOLOv5 by IoU.
    """
    labels, predictions = random_scene(np.random.default_rng(seed), images=40)
    answer = pd.DataFrame(labels, columns=["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"])
    guess = pd.DataFrame(predictions, columns=["ImageID", "LabelName", "Conf", "XMin", "XMax", "YMin", "YMax"])
    theirs, _ = mean_average_precision_for_boxes(answer, guess, iou_threshold=iou, verbose=False)

    correct, confidence, predicted, labelled = match_scene(labels, predictions)
    ours = np.mean(
        [
            area(correct[predicted == kind, column], confidence[predicted == kind], (labelled == kind).sum())
            for kind in (0, 1)
        ]
    )

    assert ours == pytest.approx(theirs, abs=0.01)
    assert 0.05 < ours < 0.95


def test_map75_is_the_average_precision_at_075() -> None:
    """One box found with an IoU of 0.77: right at 0.50 ... 0.75, wrong from 0.80 on."""
    label = [["0", "1", 0.0, 1.0, 0.0, 1.0]]
    found = [["0", "1", 0.9, 0.0, 1.0, 0.0, 0.77]]

    overall, per_class = evaluate_matches(*match_scene(label, found), ["pig", "cow"])

    assert overall.map50 == overall.map75 == pytest.approx(0.995)
    assert overall.map50_95 == pytest.approx(0.6 * 0.995)
    assert per_class == {"cow": overall}


def test_nothing_found_is_zero_for_each_labelled_class() -> None:
    overall, per_class = evaluate_matches(
        np.zeros((0, 10), bool), np.zeros(0), np.zeros(0), np.array([1.0, 1.0]), ["pig", "cow"]
    )

    assert overall == ClassMetrics()
    assert set(per_class) == {"cow"}


def test_an_epoch_is_one_flat_mapping() -> None:
    quality = ClassMetrics(0.5, 0.6, 0.7, 0.4, 0.3)
    epoch = EpochMetrics(
        2, Evaluation(quality, {"pig": quality}, Losses(1, 2, 3)), Losses(4, 5, 6), (0.1, 0.2, 0.3), 7, 8
    )

    flat = epoch.as_dict()

    assert flat["fitness"] == pytest.approx(0.1 * 0.7 + 0.9 * 0.3)
    assert (flat["train_box_loss"], flat["val_cls_loss"], flat["lr_weight"]) == (4, 3, 0.2)
    assert flat["per_class"]["pig"]["map75"] == 0.4


def random_scene(generator: np.random.Generator, images: int) -> tuple[list[list], list[list]]:
    """Boxes, and predictions that are shaken copies of them, false alarms among them; normalised corners."""
    labels, predictions = [], []
    for image in range(images):
        for _ in range(generator.integers(1, 5)):
            kind = str(generator.integers(2))
            x, y = generator.uniform(0, 0.7, 2)
            w, h = generator.uniform(0.1, 0.3, 2)
            labels.append([str(image), kind, x, x + w, y, y + h])
            if generator.random() < 0.85:
                dx, dy = generator.normal(0, 0.02, 2)
                box = [x + dx, x + w + dx, y + dy, y + h + dy]
                predictions.append([str(image), kind, generator.uniform(0.3, 1), *np.clip(box, 0, 1)])
        if generator.random() < 0.5:
            x, y = generator.uniform(0, 0.7, 2)
            predictions.append([str(image), str(generator.integers(2)), generator.random(), x, x + 0.2, y, y + 0.2])
    return labels, predictions


def area(correct: np.ndarray, confidence: np.ndarray, labels: int) -> float:
    """Area under the precision-recall curve over every point (as map-boxes and Pascal VOC 2010 take it)."""
    hits = correct[np.argsort(-confidence, kind="stable")].cumsum()
    recall, precision = hits / labels, hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def match_scene(labels: list[list], predictions: list[list]) -> list[np.ndarray]:
    """The same scene through our matching, image by image; boxes are given as network output."""
    levels, rows = torch.linspace(0.5, 0.95, 10), []
    letterbox = ((SIZE, SIZE), ((1.0, 1.0), (0.0, 0.0)))
    for image in {row[0] for row in labels}:
        own = [row for row in labels if row[0] == image]
        targets = torch.tensor(
            [[0, int(k), (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1] for _, k, x1, x2, y1, y2 in own]
        )
        found = [row for row in predictions if row[0] == image]
        output = torch.zeros(1, len(found), 7)
        for index, (_, kind, confidence, x1, x2, y1, y2) in enumerate(found):
            box = torch.tensor([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]) * SIZE
            output[0, index, :4], output[0, index, 4] = box, confidence
            output[0, index, 5 + int(kind)] = 1.0
        rows += _match_batch(output, targets, torch.Size((SIZE, SIZE)), [letterbox], levels)
    return [torch.cat(column).numpy() for column in zip(*rows, strict=True)]
