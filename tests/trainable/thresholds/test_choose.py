"""The choice: what it gains where it was not chosen, and an interval that says what chance does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_prep.errors import DataMissingError
from tests.trainable.raw_images import draw_images, write_raw
from tests.trainable.thresholds.conftest import NAMES
from tests.trainable.thresholds.directly import map_of, matched
from trainable.nms import VAL
from trainable.raw_file import RawFile
from trainable.thresholds.bootstrap import resampled_gains
from trainable.thresholds.choose import Choosing, ThresholdChoice, choose
from trainable.thresholds.grid import Grid
from trainable.thresholds.measures import Measure, by_class, parse_measure
from trainable.thresholds.sweep import sweep
from trainable.thresholds.table import Labels, detect

GRID = Grid(ious=(0.3, 0.45, 0.75), confidences=(0.02, 0.3), max_detections=(3,), agnostic=(False, True))
MAP75 = parse_measure("map75")


def chosen(raw: RawFile, measure: Measure = MAP75, **options: int) -> ThresholdChoice:
    return choose(raw, NAMES, Choosing(measure=measure, grid=GRID, **{"resamples": 50, **options}))


def test_each_image_is_judged_with_what_was_chosen_without_it(raw: RawFile) -> None:
    """Cross-fitting by hand, with YOLOv5's NMS, matching and metrics for every setting of every fold."""
    grid = Grid(ious=(0.3, 0.75), confidences=(0.3,), max_detections=(300,), agnostic=(False,))
    found, images = choose(raw, NAMES, Choosing(measure=MAP75, grid=grid, resamples=50, folds=3)), list(raw)
    folds = np.array_split(np.random.default_rng(0).permutation(30), 3)
    settings = [VAL] * 30
    for fold, best in zip(folds, found.by_fold, strict=True):
        rest = [images[index] for index in range(30) if index not in fold]
        values = {cell: map_of(matched(rest, cell), 5) for cell in grid.cells()}
        assert values[best] == pytest.approx(max(values.values()), abs=1e-12)
        for index in fold:
            settings[index] = best

    fitted, default = map_of(matched(images, settings), 5), map_of(matched(images, VAL), 5)

    assert found.cross_fitted == (pytest.approx(fitted, abs=1e-12), None)
    assert found.gain.value == pytest.approx(fitted - default, abs=1e-12)
    assert found.default.value == pytest.approx(default, abs=1e-12)
    assert found.gain.apparent == pytest.approx(found.chosen.value - default, abs=1e-12)
    assert found.gain.low < found.gain.value < found.gain.high
    assert found.gain.apparent >= found.gain.value > 0


def test_the_figures_of_a_choice_are_those_of_an_evaluation(raw: RawFile) -> None:
    found = chosen(raw)
    for judged in (found.chosen, found.default):
        counted = matched(raw, judged.settings)
        assert judged.metrics.map75 == pytest.approx(judged.value, abs=1e-12)
        assert judged.metrics.map50_95 == pytest.approx(map_of(counted, None), abs=1e-12)


def test_a_seed_gives_the_same_choice_and_another_seed_other_folds(raw: RawFile) -> None:
    assert chosen(raw).gain == chosen(raw).gain
    assert chosen(raw).gain != chosen(raw, seed=1).gain


def test_a_resample_is_an_evaluation_of_the_images_that_were_drawn(raw: RawFile) -> None:
    measure, labels, images = parse_measure("map75"), Labels.of(raw, 3), list(raw)
    before, after = detect(raw, 0.6, 300, agnostic=False), detect(raw, 0.4, 300, agnostic=False)
    sides = [by_class(each, measure.columns) for each in (before, after)]

    gains = resampled_gains(measure, *sides, labels.counts, resamples=3, seed=5)

    draw = np.random.default_rng(5)
    for gain in gains:
        drawn = [images[index] for index in draw.integers(30, size=30)]
        values = [map_of(matched(drawn, type(VAL)(0.001, iou)), 5) for iou in (0.4, 0.6)]
        # YOLOv5 sorts the copies of an image anyhow; which comes first of a right and a right one changes nothing.
        assert gain == pytest.approx(values[0] - values[1], abs=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_apparent_gain_flatters_and_the_cross_fitted_does_not(tmp_path: Path) -> None:
    """Thirty samples of forty images, against what their choices gain on 1500 others."""
    measure = parse_measure("score75")
    others = write_raw(tmp_path / "others.parquet", draw_images(1500, classes=2, seed=1, rows=25))
    worth = sweep(others, Labels.of(others, 3), GRID, measure, [np.arange(1500)])
    default = worth.values[0, worth.cells.index(VAL)]
    gain_of = dict(zip(worth.cells, worth.values[0] - default, strict=True))
    apparent, fitted, covered = [], [], []
    for seed in range(30):
        raw = write_raw(tmp_path / "raw.parquet", draw_images(40, classes=2, seed=1000 + seed, rows=25))
        found = choose(raw, NAMES, Choosing(measure=measure, grid=GRID, resamples=100, folds=4))
        true = np.mean([gain_of[settings] for settings in found.by_fold])
        apparent.append(found.gain.apparent - gain_of[found.chosen.settings])
        fitted.append(found.gain.value - true)
        covered.append(found.gain.low <= true <= found.gain.high)

    def errors_from_zero(differences: list[float]) -> float:
        return float(np.mean(differences) / (np.std(differences) / len(differences) ** 0.5))

    assert errors_from_zero(apparent) > 3
    assert abs(errors_from_zero(fitted)) < 3
    assert errors_from_zero([one - other for one, other in zip(apparent, fitted, strict=True)]) > 3
    assert np.mean(covered) >= 0.7  # 0.87 of sixty samples: it does not hold the chance of choosing (decision 33)


def test_a_bound_that_nothing_reaches_is_said(raw: RawFile) -> None:
    found = chosen(raw, parse_measure("precision@recall=0.999"))
    assert not found.reached
    assert found.chosen.held == found.swept.held[0].max()
    assert any("no setting reaches what precision@recall=0.999 asks for" in note for note in found.notes)
    assert chosen(raw, parse_measure("precision@recall=0.3")).reached


def test_where_yolov5s_line_rewards_a_cut_it_is_said(raw: RawFile) -> None:
    found = chosen(raw)
    said = any("straight line at the end of the curve" in note for note in found.notes)
    assert said == (found.chosen.score75 < found.default.score75)


@pytest.mark.parametrize(("count", "labelled"), [(1, True), (4, False)])
def test_too_little_to_choose_on_is_refused(tmp_path: Path, count: int, labelled: bool) -> None:
    images = draw_images(count, classes=2, seed=0)
    if not labelled:
        images = [image._replace(labels=image.labels[:0]) for image in images]
    raw = write_raw(tmp_path / "raw.parquet", images)
    with pytest.raises(DataMissingError, match=r"raw\.parquet: thresholds need at least two images and a label"):
        chosen(raw)
