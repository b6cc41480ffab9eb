"""Likely missing labels: what was taken away on purpose is found, and nothing that is labelled."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from data_prep.errors import InputError
from tests.trainable.raw_images import SIDE, draw_images
from trainable.error_analysis.missing import Missing, MissingRules, least_confidences, missing_labels
from trainable.error_analysis.pictures import box_iou, native_labels, pictures_of
from trainable.nms import VAL
from trainable.raw_file import RawImage

# By its path: once yolov5 is imported, `benchmarks` is a module of its folder.
BENCHMARK = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "missing_labels.py"))
RULES = MissingRules(precision=0.7)
ANY = np.zeros(3)


def image(rows: list[tuple[float, ...]], labels: list[tuple[float, ...]] = ()) -> RawImage:  # type: ignore[assignment]
    """Rows are (x1, y1, x2, y2, confidence, class) in pixels, labels (class, x, y, w, h) normalised."""
    candidates = torch.tensor(sorted(rows, key=lambda row: -row[4])).view(-1, 6)
    letterbox = ((SIDE, SIDE), ((1.0, 1.0), (0.0, 0.0)))
    return RawImage("a.jpg", letterbox, (SIDE, SIDE), candidates, torch.tensor(labels).view(-1, 5))


def listed(*rows: tuple[float, ...], labels: list[tuple[float, ...]] = (), rules: MissingRules = RULES) -> list[float]:  # type: ignore[assignment]
    return [round(each.confidence, 3) for each in missing_labels([image(list(rows), labels)], ANY, rules)]


LABEL = (0, 0.5, 0.5, 0.25, 0.25)  # 96 to 160


def test_what_lies_clear_is_listed_and_what_is_labelled_is_not() -> None:
    assert listed((0, 0, 60, 60, 0.9, 0)) == [0.9]  # a picture without labels, too
    assert listed((96, 96, 160, 160, 0.9, 0), (0, 0, 60, 60, 0.8, 1), labels=[LABEL]) == [0.8]
    assert listed((96, 96, 160, 160, 0.9, 1), labels=[LABEL]) == []  # of another class: an error, not a missing label
    assert listed((100, 100, 130, 130, 0.9, 0), labels=[LABEL]) == []  # a part of what is labelled


def test_a_group_of_labels_is_not_listed() -> None:
    labels = [(0, x, 0.5, 0.1, 0.1) for x in (0.3, 0.7)]
    assert listed((40, 80, 216, 180, 0.9, 0), labels=labels) == []
    assert listed((40, 80, 216, 180, 0.9, 0), labels=labels[:1]) == [0.9]


def test_a_neighbour_in_a_herd_is_listed() -> None:
    assert listed((140, 96, 204, 160, 0.9, 0), labels=[LABEL]) == [0.9]
    assert listed((140, 96, 204, 160, 0.9, 0), labels=[LABEL], rules=MissingRules(clear_iou=0.1)) == []


def test_of_several_at_one_place_the_most_confident_is_listed() -> None:
    assert listed((0, 0, 60, 60, 0.9, 0), (2, 2, 62, 62, 0.8, 0), (1, 1, 60, 60, 0.7, 1)) == [0.9]


def test_what_nms_would_suppress_at_some_iou_is_not_stable() -> None:
    half = (0, 20, 60, 80, 0.8, 0)  # overlaps the first by 0.5
    assert listed((0, 0, 60, 60, 0.9, 0), half) == [0.9]
    assert listed((0, 0, 60, 60, 0.9, 0), half, rules=MissingRules(nms_ious=(0.6, 0.7))) == [0.9, 0.8]


def test_each_class_has_its_least_confidence() -> None:
    found = missing_labels(
        [image([(0, 0, 60, 60, 0.6, 0), (100, 0, 160, 60, 0.6, 1), (0, 100, 60, 160, 0.9, 2)])],
        np.array([0.5, 0.7, np.inf]), RULES,
    )  # fmt: skip
    assert [each.kind for each in found] == [0]


def test_the_least_confidence_gives_the_precision() -> None:
    images = draw_images(40, 2, seed=4)
    pictures = list(pictures_of(images, VAL))
    least = least_confidences(pictures, 3, RULES)
    assert np.isinf(least[2])  # never predicted
    assert (least[:2] < 0.9).all()
    for kind in range(2):
        right = total = 0
        for each in pictures:
            sure = (each.kinds == kind) & (each.confidences >= least[kind])
            overlap = each.overlap[sure][:, each.label_kinds == kind]
            total += int(sure.sum())
            right += sum(overlap.max(0, initial=0) >= 0.5)  # labels that are found, each once
        assert right / total >= 0.69
    strict = least_confidences(pictures, 3, MissingRules(precision=0.95))
    assert (strict >= least).all()


def test_deleted_labels_are_found() -> None:
    """On drawn scenes, in which boxes lie across each other more than animals do."""
    right = count = listed = before = 0
    for seed in range(4):
        images = draw_images(60, 2, seed=seed, rows=120)
        kept, deleted = BENCHMARK["delete"](images, 0.1, seed)
        assert sum(len(each.labels) for each in deleted) == round(0.1 * sum(len(each.labels) for each in images))
        found = list_of(kept)
        for each in kept:
            boxes = np.array([row.box for row in found if row.file == each.file]).reshape(-1, 4)
            assert (box_iou(boxes, native_labels(each).numpy().astype(float)) < RULES.clear_iou).all()
        assert [row.confidence for row in found] == sorted((row.confidence for row in found), reverse=True)
        right += sum(BENCHMARK["hits"](each, [row for row in found if row.file == each.file]) for each in deleted)
        count += sum(len(each.labels) for each in deleted)
        listed, before = listed + len(found), before + len(list_of(images))
    assert right / listed > 0.55
    assert right / count > 0.25
    assert listed - before > 0.8 * right  # they are listed because they were deleted


def list_of(images: list[RawImage]) -> list[Missing]:
    return missing_labels(images, least_confidences(list(pictures_of(images, VAL)), 2, RULES), RULES)


@pytest.mark.parametrize(
    "rules", [{"precision": 0.0}, {"precision": 1.2}, {"nms_ious": (0.5, 1.5)}, {"clear_iou": -0.1}]
)
def test_rules_out_of_range_are_refused(rules: dict[str, float]) -> None:
    with pytest.raises(InputError, match="rule for missing labels is out of range"):
        MissingRules(**rules)  # type: ignore[arg-type]
