"""AP per class and size is pycocotools'; precision and recall are counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.trainable.error_analysis.scenes import CLASSES, coco_ap, drawn, picture, scenes
from trainable.error_analysis.matching import NONE, match
from trainable.error_analysis.pictures import Picture
from trainable.error_analysis.quality import Quality, best_confidence, curve, mean_of, quality_of, rank
from trainable.error_analysis.sizes import ALL, SIZES


def assert_as_coco(pictures: list[Picture], iou: float) -> list[float]:
    figures = []
    for size in (ALL, *SIZES):
        ranking = rank(pictures, CLASSES, iou, size)
        for kind in range(CLASSES):
            ours, theirs = quality_of(ranking, kind, 0.001), coco_ap(pictures, iou, kind, size.name)
            if ours.average_precision is None:
                assert theirs == -1
            else:
                assert ours.average_precision == pytest.approx(theirs, abs=1e-9), (size, kind)
                figures.append(ours.average_precision)
    return figures


@pytest.mark.parametrize("iou", [0.5, 0.75])
@pytest.mark.parametrize("seed", range(3))
def test_ap_by_class_and_size_is_that_of_pycocotools(seed: int, iou: float) -> None:
    figures = assert_as_coco(drawn(25, seed), iou)
    assert len(set(figures)) >= 6
    assert max(figures) > 0.2


@settings(max_examples=60, deadline=None)
@given(scenes())
def test_so_it_is_for_any_boxes(pictures: list[Picture]) -> None:
    assert_as_coco(pictures, 0.5)


def test_edges_of_sizes_belong_to_both() -> None:
    label = (0, 0, 0, 32, 32)
    ranking = {size.name: rank([picture([label], [(0, 0.9, 0, 0, 32, 32)])], 1, 0.5, size) for size in SIZES}
    assert [int(each.labels[0]) for each in ranking.values()] == [1, 1, 0]


def test_what_found_a_label_of_another_size_counts_nowhere() -> None:
    seen = [picture([(0, 0, 0, 200, 200)], [(0, 0.9, 0, 0, 200, 160), (0, 0.8, 300, 300, 310, 310)])]
    small, large = (rank(seen, 1, 0.5, size) for size in (SIZES[0], SIZES[2]))
    assert (small.right.tolist(), small.labels.tolist()) == ([False], [0])
    assert (large.right.tolist(), large.labels.tolist()) == ([True], [1])


def test_a_detection_prefers_a_label_that_counts() -> None:
    overlap = np.array([[0.9, 0.6]])
    assert match(overlap, 0.5).tolist() == [0]
    assert match(overlap, 0.5, np.array([True, False])).tolist() == [1]
    assert match(overlap, 0.5, np.array([True, True])).tolist() == [0]
    assert match(np.zeros((2, 0)), 0.5).tolist() == [NONE, NONE]


def test_precision_recall_and_f1_at_a_confidence() -> None:
    seen = [
        picture(
            [(0, 0, 0, 50, 50), (0, 100, 0, 150, 50), (0, 200, 0, 250, 50)],
            [(0, 0.9, 0, 0, 50, 50), (0, 0.6, 300, 0, 350, 50), (0, 0.5, 100, 0, 150, 50), (0, 0.2, 200, 0, 250, 50)],
        )
    ]
    ranking = rank(seen, 2, 0.5)
    found = quality_of(ranking, 0, 0.3)
    assert (found.labels, found.predictions, found.right) == (3, 3, 2)
    assert (found.precision, found.recall, found.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert quality_of(ranking, 0, 0.5).predictions == 2  # more confident than it, not as confident
    assert quality_of(ranking, 1, 0.3) == Quality(0, 0, 0, None)
    assert quality_of(ranking, 1, 0.3).as_dict()["f1"] is None
    assert mean_of([None, 0.5, 1.0]) == 0.75
    assert mean_of([None]) is None


def test_the_best_confidence_has_the_best_mean_f1() -> None:
    ranking = rank(drawn(30, 5), CLASSES, 0.5)
    here = best_confidence(ranking)

    def f1(confidence: float) -> float:
        return float(np.mean([quality_of(ranking, kind, confidence).f1 or 0 for kind in range(CLASSES)]))

    steps = [f1(step / 1000) for step in range(1, 1000)]
    assert f1(here) == pytest.approx(max(steps), abs=1e-9)
    assert steps.index(max(steps)) + 1 == round(1000 * here)


def test_a_curve_ends_where_the_ranking_does() -> None:
    ranking = rank(drawn(30, 5), CLASSES, 0.5)
    recall, precision = curve(ranking, 0, most=50)
    _, right = ranking.of(0)
    assert len(recall) <= 50
    assert (recall[-1], precision[-1]) == pytest.approx((right.sum() / ranking.labels[0], right.mean()))
    assert curve(rank([], 1, 0.5), 0) == ([], [])
