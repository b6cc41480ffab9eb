"""The shape of what an epoch reports; test_oracle_map75.py has its figures against other libraries."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainable.scenes import Scene, matched
from trainable.metrics import ClassMetrics, EpochMetrics, Evaluation, Losses, evaluate_matches


def test_map75_is_the_average_precision_at_075() -> None:
    """One box found with an IoU of 0.77: right at 0.50 ... 0.75, wrong from 0.80 on."""
    scene = Scene([(0, 1, (0, 0, 100, 100))], [(0, 1, 0.9, (0, 0, 100, 77))])

    overall, per_class = evaluate_matches(*matched(scene), ["pig", "cow"])

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
