"""The score against ``map-boxes``, to 1e-9 on whatever can be in a table, and against pycocotools where they agree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import InputError
from tests.conftest import SHARED
from tests.trainable.score_cases import (
    CORNERS,
    NOTHING,
    PREDICTION,
    Case,
    area_by_coco,
    assert_like_map_boxes,
    random_case,
    table,
)
from trainable.score import score, score_files


@pytest.fixture(scope="module")
def answer_csv() -> Path:
    """The competition's answers: 10,647 boxes of 2057 images."""
    path = SHARED / "aispark" / "answer.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine: tests on real answers need shared/data beside the repository")
    return path


def scored(case: Case) -> float:
    """The mean, after a look at what map-boxes has."""
    found = score(*case)
    assert_like_map_boxes(case, found)
    return found.mean_average_precision


@pytest.mark.parametrize("seed", range(4))
def test_random_tables_equal_map_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(50):
        scored(random_case(rng, most=40))


@pytest.mark.parametrize("seed", range(2))
def test_long_tables_equal_map_boxes(seed: int) -> None:
    """Numpy sorts long columns otherwise than short ones, which shows where confidences are equal."""
    rng = np.random.default_rng(1000 + seed)
    for _ in range(2):
        scored(random_case(rng, most=1500))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_thousands_of_random_tables_equal_map_boxes() -> None:
    rng = np.random.default_rng(7)
    means = [scored(random_case(rng, most=int(rng.choice([5, 40, 120])))) for _ in range(1500)]

    assert sum(mean == 0 for mean in means) > 50
    assert sum(0 < mean < 1 for mean in means) > 500


places = st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.5, 0.75, 1.0])
corners = st.tuples(places, places, places, places)
names = st.tuples(st.sampled_from("abc"), st.sampled_from(["cow", "pig", "돼지"]))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(names, corners), min_size=1, max_size=8),
    st.lists(st.tuples(names, st.sampled_from([0.0, 0.5, 1.0]), corners), max_size=12),
    st.floats(0, 1),
)
def test_any_small_tables_equal_map_boxes(answers: list, predictions: list, iou: float) -> None:  # type: ignore[type-arg]
    rows = [(*name, sure, *box) for name, sure, box in predictions]
    scored(Case(table([(*name, *box) for name, box in answers]), table(rows) if rows else NOTHING, iou))


BOX, ELSEWHERE = (0.1, 0.3, 0.1, 0.3), (0.6, 0.8, 0.6, 0.8)
ONE = table([("a", "cow", *BOX)])


@pytest.mark.parametrize(
    ("answers", "predictions", "expected"),
    [
        (ONE, NOTHING, 0.0),
        (ONE, table([("a", "cow", 0.5, *BOX)]), 1.0),
        (ONE, table([("a", "cow", 0.5, *ELSEWHERE)]), 0.0),
        (ONE, table([("a", "cow", 0.9, *ELSEWHERE), ("a", "cow", 0.5, *BOX)]), 0.5),
        (ONE, table([("a", "cow", 0.5, *BOX), ("a", "cow", 0.1, *BOX)]), 1.0),
        # The first in the file gets the answer, so the more confident one is a false alarm.
        (ONE, table([("a", "cow", 0.1, *BOX), ("a", "cow", 0.5, *BOX)]), 0.5),
        (ONE, table([("b", "cow", 0.9, *ELSEWHERE), ("a", "cow", 0.5, *BOX)]), 1.0),
        (ONE, table([("a", "pig", 0.9, *BOX), ("a", "cow", 0.5, *BOX)]), 1.0),
        (table([("a", "cow", *BOX), ("a", "pig", *ELSEWHERE)]), table([("a", "cow", 0.5, *BOX)]), 0.5),
        # Of two equal answers both predictions want the first.
        (table([("a", "cow", *BOX)] * 2), table([("a", "cow", 0.5, *BOX)] * 2), 0.5),
        (table([("a", "cow", 0.1, 0.1, 0.1, 0.3)]), table([("a", "cow", 0.5, 0.1, 0.1, 0.1, 0.3)]), 0.0),
        # An image that the answers name without a box: what is found there counts.
        (
            table([("a", "cow", *BOX), ("b", "", *[np.nan] * 4)]),
            table([("b", "cow", 0.9, *ELSEWHERE), ("a", "cow", 0.5, *BOX)]),
            0.5,
        ),
    ],
)
def test_degenerate_tables(answers: pd.DataFrame, predictions: pd.DataFrame, expected: float) -> None:
    assert scored(Case(answers, predictions, 0.75)) == pytest.approx(expected, abs=1e-12)


def test_an_overlap_of_exactly_the_threshold_is_right() -> None:
    half = table([("a", "cow", 0.5, 0, 4, 0, 2)])
    answers = table([("a", "cow", 0, 4, 0, 4)])

    assert scored(Case(answers, half, 0.5)) == 1
    assert scored(Case(answers, half, float(np.nextafter(0.5, 1)))) == 0


@pytest.mark.parametrize("places", [(0, 2), (2, 0)])
def test_of_equal_overlaps_the_first_answer_in_the_table_is_wanted(places: tuple[int, int]) -> None:
    """The first prediction lies between both answers; the second one is the first answer and comes too late."""
    answers = [("a", "cow", x, x + 2, 0, 1) for x in places]
    predictions = [("a", "cow", 0.9, 1, 3, 0, 1), ("a", "cow", 0.8, *answers[0][2:])]

    assert scored(Case(table(answers), table(predictions), 0.3)) == 0.5


def test_numbers_are_rounded_to_float32() -> None:
    """Which makes 0.1 a little more."""
    answers, predictions = table([("a", "cow", 0, 1, 0, 1)]), table([("a", "cow", 0.5, 0, 0.1, 0, 1)])

    assert scored(Case(answers, predictions, 0.100000001)) == 1
    assert scored(Case(answers, predictions, 0.100000002)) == 0


def test_what_counts_nowhere_is_counted() -> None:
    found = score(
        table([("a", "cow", *BOX), ("a", "cow", 0, 0, 0, 1)]),
        table(
            [
                ("a", "cow", 0.5, *BOX),
                ("a", "cow", 0.6, *ELSEWHERE),
                ("b", "cow", 0.5, *BOX),
                ("a", "dog", 0.5, *BOX),
                ("b", "dog", 0.5, 0.2, 0.1, 0, 1),
            ]
        ),
    )

    assert found.per_class["cow"].predictions == 2
    assert found.per_class["cow"].right == 1
    assert (found.elsewhere, found.unknown, found.flat, found.ordered) == (1, {"dog": 2}, (1, 1), False)


def test_equal_confidences_are_no_disorder() -> None:
    assert score(ONE, table([("a", "cow", 0.5, *BOX), ("a", "cow", 0.5, *ELSEWHERE)])).ordered


@pytest.mark.parametrize("iou", [-0.1, 1.1, float("nan")])
def test_an_iou_out_of_bounds_is_refused(iou: float) -> None:
    with pytest.raises(InputError, match=r"`iou` \(=.*\) must lie within 0 to 1"):
        score(ONE, NOTHING, iou)


def test_without_an_answer_there_is_no_score() -> None:
    with pytest.raises(InputError, match="no answer"):
        score(table([("a", "", *[np.nan] * 4)]), NOTHING)


@pytest.mark.parametrize("seed", range(5))
def test_scaling_by_a_power_of_two_and_renaming_change_nothing(seed: int) -> None:
    """Products and quotients of such numbers are the same to the last bit."""
    case = random_case(np.random.default_rng(seed), most=100)
    larger = [frame.assign(**{corner: frame[corner] * 2**11 for corner in CORNERS}) for frame in case[:2]]
    renamed = [frame.assign(ImageID="새 " + frame["ImageID"].astype(str)) for frame in larger]

    assert score(renamed[0], renamed[1], case.iou) == score(*case)


@pytest.mark.parametrize("seed", range(5))
def test_a_less_sure_false_alarm_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    answers, predictions, _ = random_case(rng, most=100)
    predictions["Conf"] = rng.permutation(len(predictions)) / 128  # equal ones might change places
    alarm = table([(answers["ImageID"][0], "class 0", -1.0, 5000, 5001, 5000, 5001)])

    more = score(answers, pd.concat([predictions, alarm], ignore_index=True), 0.5)
    assert more.as_dict() == score(answers, predictions, 0.5).as_dict()


@pytest.mark.parametrize("seed", range(25))
def test_pycocotools_agrees_where_it_means_the_same(seed: int) -> None:
    """That is: answers of a class do not overlap, the IoU is above a half, and predictions stand by confidence.

    Then no prediction has a second best answer to go to, and every image is named by the answers. COCO's 101 recalls
    are replaced by all that there can be, its 100 predictions by all.
    """
    case = apart(np.random.default_rng(seed))
    found = score(*case)

    assert_like_map_boxes(case, found)
    for name, own in found.per_class.items():
        assert own.average_precision == pytest.approx(area_by_coco(case, name), abs=1e-9)
    assert 0 < found.mean_average_precision < 1


def apart(rng: np.random.Generator) -> Case:
    """Answers in a grid of cells of 40 pixels; predictions near them, twice on some, or anywhere."""
    cells = rng.permutation(6 * 16)[:60]
    side = rng.integers(10, 41, len(cells))
    x, y = (cells % 16) * 40, rng.integers(0, 5, len(cells))
    answers = pd.DataFrame({"ImageID": cells // 16, "LabelName": "cow", "XMin": x, "XMax": x + side, "YMin": y})
    answers["YMax"] = y + side
    answers.loc[rng.random(len(cells)) < 0.4, "LabelName"] = "pig"
    predictions = answers.sample(90, replace=True, random_state=rng).reset_index(drop=True)
    predictions[CORNERS] += rng.integers(-3, 4, (90, 4))
    predictions.insert(2, "Conf", rng.permutation(90) / 128)  # exact as float32
    predictions = predictions.sort_values("Conf", ascending=False)
    for frame in (answers, predictions):
        frame["ImageID"] = frame["ImageID"].astype(str)
    background = pd.DataFrame({"ImageID": [str(image) for image in range(6)], "LabelName": ""})
    iou = float(rng.choice([0.51, 0.6, 0.75, 0.8]))
    return Case(pd.concat([answers, background], ignore_index=True), predictions[PREDICTION], iou)


def test_a_contested_answer_is_given_away_by_pycocotools_alone() -> None:
    """Both predictions want the first answer; pycocotools gives the second one what is left."""
    answers = table([("a", "cow", 0, 40, 0, 40), ("a", "cow", 0, 40, 4, 44)])
    predictions = table([("a", "cow", 0.9, 0, 40, 0, 40), ("a", "cow", 0.8, 0, 40, 1, 41)])
    case = Case(answers, predictions, 0.75)

    assert scored(case) == 0.5
    assert area_by_coco(case, "cow") == pytest.approx(1)


def test_real_answers_against_themselves_have_1(answer_csv: Path, tmp_path: Path) -> None:
    predictions = pd.read_csv(answer_csv)
    predictions.insert(2, "Conf", 1.0)
    predictions.to_csv(tmp_path / "predictions.csv", index=False)
    found = score_files(answer_csv, tmp_path / "predictions.csv")

    assert found.as_dict() == {"map": 1.0, "per_class": {"cow": 1.0, "pig": 1.0}}
    assert {name: own.answers for name, own in found.per_class.items()} == {"cow": 4931, "pig": 5716}


@pytest.mark.slow
def test_real_answers_with_noise_equal_map_boxes(answer_csv: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    answers = pd.read_csv(answer_csv)
    predictions = answers.sample(15_000, replace=True, random_state=0).reset_index(drop=True)
    predictions[CORNERS] += rng.normal(0, 0.01, (len(predictions), 4))
    predictions.insert(2, "Conf", rng.random(len(predictions)).round(3))
    predictions.to_csv(tmp_path / "predictions.csv", index=False)

    for iou in (0.5, 0.75):
        found = score_files(answer_csv, tmp_path / "predictions.csv", iou)
        assert_like_map_boxes(Case(answers, pd.read_csv(tmp_path / "predictions.csv"), iou), found)
        assert 0.1 < found.mean_average_precision < 0.9


def test_importing_it_loads_neither_torch_nor_ray() -> None:
    loaded = "import sys, trainable.score; print({'torch', 'ray', 'optuna', 'yolov5'} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
