"""Measures on a handful of detections, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trainable.thresholds.measures import OfClass, parse_measure

CONFIDENCE = np.array([0.9, 0.6, 0.3, 0.1], np.float32)
RIGHT = np.array([True, False, True, False])
FOUND = {0: OfClass(CONFIDENCE, np.zeros(4, np.int32), RIGHT[:, None])}
LABELS = np.array([4, 0, 1])  # of class 2 nothing was found; class 1 has no label
THRESHOLDS = np.array([0.0, 0.1, 0.3, 0.6, 0.95])


def test_a_detection_is_above_a_threshold_and_not_at_it() -> None:
    """Kept of the four: 4, 3, 1 .. as NMS compares, in float32; a class without boxes has precision 1."""
    found = parse_measure("recall@precision=0.5").at(FOUND, LABELS, THRESHOLDS)

    np.testing.assert_allclose(found.value, np.array([2 / 4, 2 / 4, 1 / 4, 1 / 4, 0]) / 2)
    np.testing.assert_allclose(found.held, (np.array([2 / 4, 2 / 3, 1 / 2, 1, 1]) + 1) / 2)


def test_f1_is_the_mean_over_the_classes_with_labels() -> None:
    found = parse_measure("f1").at(FOUND, LABELS, THRESHOLDS)
    expected = [2 * p * r / (p + r) / 2 for p, r in ((2 / 4, 2 / 4), (2 / 3, 2 / 4), (1 / 2, 1 / 4), (1, 1 / 4))]
    np.testing.assert_allclose(found.value, [*expected, 0])
    assert np.isnan(found.held).all()


def test_the_line_at_the_end_pays_for_a_cut_and_the_exact_area_does_not() -> None:
    """One right box of two labels: area 1/2; YOLOv5 adds the triangle from (1/2, 1) to (1, 0), another quarter."""
    found = {0: OfClass(CONFIDENCE[:2], np.zeros(2, np.int32), RIGHT[:2, None])}
    labels, cuts = np.array([2]), np.array([0.0, 0.6])

    exact, line = (parse_measure(name).at(found, labels, cuts).value for name in ("score75", "map75"))

    np.testing.assert_allclose(exact, [0.5, 0.5])
    assert line[1] == pytest.approx(0.75, abs=0.01)
    assert line[0] == pytest.approx(0.625, abs=0.01)  # the wrong box behind it: from (1/2, 1/2)


def test_without_a_detection_everything_is_zero() -> None:
    for name in ("map50_95", "score50", "f1"):
        np.testing.assert_array_equal(parse_measure(name).at({}, LABELS, THRESHOLDS).value, np.zeros(5))
