"""Kinds of errors and their costs, against an independent reading of the paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.trainable.error_analysis import directly
from tests.trainable.error_analysis.scenes import CLASSES, drawn, picture, scenes
from trainable.error_analysis.costs import average_precisions, costs
from trainable.error_analysis.kinds import RIGHT, Kind, judge, judge_all
from trainable.error_analysis.matching import NONE
from trainable.error_analysis.pictures import Picture
from trainable.error_analysis.quality import quality_of, rank


def assert_as_the_paper(pictures: list[Picture], iou: float) -> None:
    ours, answer = judge_all(pictures, iou), directly.judge(pictures, iou)
    places = [(int(p), int(r)) for p, r in zip(ours.label_picture, ours.label_row, strict=True)]
    said = [
        ("right" if kind == RIGHT else Kind(kind).name.lower(), None if label == NONE else places[label])
        for kind, label in zip(ours.kinds, ours.labels, strict=True)
    ]
    assert said == [(each.what, each.label) for each in answer.found]
    assert {place for place, missed in zip(places, ours.missed, strict=True) if missed} == answer.missed
    mended = [(), *((kind,) for kind in Kind), tuple(Kind), (Kind.CLASSIFICATION, Kind.MISSED)]
    for kinds in mended:
        found = average_precisions(ours, CLASSES, kinds)
        for kind in range(CLASSES):
            if kind not in answer.labels.values():
                assert np.isnan(found[kind])
            else:
                theirs = directly.average_precision(answer, kind, [each.name.lower() for each in kinds])
                assert found[kind] == pytest.approx(theirs, abs=1e-9), kinds


@pytest.mark.parametrize("iou", [0.5, 0.75])
@pytest.mark.parametrize("seed", range(3))
def test_kinds_and_costs_are_the_papers(seed: int, iou: float) -> None:
    pictures = drawn(20, seed)
    assert_as_the_paper(pictures, iou)
    verdicts = judge_all(pictures, iou)
    rare = {Kind.MISSED} if iou == 0.5 else {Kind.MISSED, Kind.DUPLICATE}  # NMS at 0.6 leaves few that reach 0.75
    assert all(verdicts.count(kind) for kind in set(Kind) - rare)


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_so_they_are_for_any_boxes(pictures: list[Picture]) -> None:
    assert_as_the_paper(pictures, 0.5)


@settings(max_examples=100, deadline=None)
@given(scenes())
def test_what_must_hold(pictures: list[Picture]) -> None:
    verdicts = judge_all(pictures, 0.5)
    right = verdicts.kinds == RIGHT
    wrong = sum(verdicts.count(kind) for kind in Kind if kind is not Kind.MISSED)
    assert right.sum() + wrong == len(verdicts.kinds) == sum(len(each.kinds) for each in pictures)
    covered = set(verdicts.labels[verdicts.labels != NONE].tolist())
    assert set(np.flatnonzero(verdicts.missed).tolist()) == set(range(len(verdicts.missed))) - covered
    assert len(set(verdicts.labels[right].tolist())) == right.sum()

    everything = average_precisions(verdicts, CLASSES, tuple(Kind))
    assert np.array_equal(np.nan_to_num(everything, nan=1.0), np.ones(CLASSES))
    before = average_precisions(verdicts, CLASSES)
    ranking = rank(pictures, CLASSES, 0.5)
    for kind in np.flatnonzero(ranking.labels):
        assert before[kind] == quality_of(ranking, int(kind), 0.0).average_precision
    for kind, cost in costs(verdicts, CLASSES).items():
        if kind in (Kind.BOTH, Kind.DUPLICATE, Kind.BACKGROUND, Kind.MISSED):  # what only leaves cannot do harm
            assert (np.nan_to_num(cost) >= -1e-12).all(), kind


LABEL = (0, 0, 0, 100, 100)


@pytest.mark.parametrize(
    ("detections", "kinds"),
    [
        ([(0, 0.9, 0, 0, 100, 90)], [RIGHT]),
        ([(0, 0.9, 0, 0, 100, 100), (0, 0.8, 0, 0, 100, 90)], [RIGHT, Kind.DUPLICATE]),
        ([(1, 0.9, 0, 0, 100, 90)], [Kind.CLASSIFICATION]),
        ([(0, 0.9, 0, 0, 100, 40)], [Kind.LOCALISATION]),
        ([(1, 0.9, 0, 0, 100, 40)], [Kind.BOTH]),
        ([(1, 0.9, 0, 0, 100, 9)], [Kind.BACKGROUND]),
        ([(0, 0.9, 200, 200, 300, 300)], [Kind.BACKGROUND]),
        ([(0, 0.9, 0, 0, 100, 50)], [RIGHT]),  # exactly t_f
        ([(0, 0.9, 0, 0, 100, 10)], [Kind.LOCALISATION]),  # exactly t_b
        ([], []),
    ],
)
def test_each_kind_by_itself(detections: list[tuple[float, ...]], kinds: list[int]) -> None:
    found = judge(picture([LABEL], detections), 0.5)
    assert found.kinds.tolist() == kinds
    covered = {RIGHT, Kind.CLASSIFICATION, Kind.LOCALISATION}
    assert found.missed.tolist() == [not covered.intersection(kinds)]


def test_without_labels_all_is_background() -> None:
    found = judge(picture([], [(0, 0.9, 0, 0, 9, 9)]), 0.5)
    assert (found.kinds.tolist(), found.labels.tolist(), found.missed.tolist()) == ([Kind.BACKGROUND], [NONE], [])
    nothing = judge_all([], 0.5)
    assert np.isnan(average_precisions(nothing, 2)).all()


def test_a_cost_by_hand() -> None:
    """One of two labels is found behind a false one: AP 1/4; without the false one 1/2, without the missed one 1/2."""
    seen = [picture([LABEL, (0, 200, 0, 300, 100)], [(0, 0.9, 0, 300, 50, 350), (0, 0.8, 0, 0, 100, 100)])]
    found = costs(judge_all(seen, 0.5), 1)
    assert average_precisions(judge_all(seen, 0.5), 1)[0] == pytest.approx(0.25)
    assert {kind.name: round(float(cost[0]), 9) for kind, cost in found.items() if cost[0]} == {
        "BACKGROUND": 0.25,
        "MISSED": 0.25,
    }


def test_a_class_that_is_missed_whole_costs_all_of_it() -> None:
    found = costs(judge_all([picture([LABEL], [(0, 0.1, 300, 300, 310, 310)])], 0.5), 1)
    assert found[Kind.MISSED][0] == 1.0


def test_a_mended_class_counts_for_the_class_of_the_label() -> None:
    seen = [picture([LABEL, (1, 200, 0, 300, 100)], [(1, 0.9, 0, 0, 100, 100), (1, 0.8, 200, 0, 300, 100)])]
    found = costs(judge_all(seen, 0.5), 2)[Kind.CLASSIFICATION]
    assert found.tolist() == [1.0, 0.5]
