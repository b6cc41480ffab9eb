"""The commands about finished models: ``score``."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.model_display import score_remarks, score_table
from tests.search.command_line import Cli, assert_refused, only_json, snapshot
from tests.search.screen import Screen
from trainable.score import ClassScore, Score

ANSWERS = """ImageID,LabelName,XMin,XMax,YMin,YMax
a.jpg,cow,0.1,0.3,0.1,0.3
a.jpg,pig,0.5,0.9,0.5,0.9
b.jpg,cow,0.1,0.3,0.1,0.3
"""
PREDICTIONS = """ImageID,LabelName,Conf,XMin,XMax,YMin,YMax
a.jpg,cow,0.9,0.1,0.3,0.1,0.3
a.jpg,pig,0.8,0.5,0.9,0.5,0.8
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    answer, prediction = tmp_path / "answer.csv", tmp_path / "prediction.csv"
    answer.write_text(ANSWERS)
    prediction.write_text(PREDICTIONS)
    return answer, prediction


def test_score_shows_each_class_and_the_mean(cli: Cli, files: tuple[Path, Path]) -> None:
    before = snapshot(files[0].parent)
    found = cli("score", *files)

    assert (found.code, found.err) == (0, "")
    assert [line.split("│")[1:-1] for line in found.out.splitlines() if "│" in line] == [
        [" cow   ", " 0.50000 ", "       2 ", "           1 ", "     1 "],
        [" pig   ", " 1.00000 ", "       1 ", "           1 ", "     1 "],
        [" mAP   ", " 0.75000 ", "       3 ", "           2 ", "     2 "],
    ]
    assert "IoU 0.75" in found.out
    assert snapshot(files[0].parent) == before


def test_score_as_json_is_the_mean_and_the_classes_alone(cli: Cli, files: tuple[Path, Path]) -> None:
    assert only_json(cli("score", *files, "--json").out) == {"map": 0.75, "per_class": {"cow": 0.5, "pig": 1.0}}
    found = cli("score", *files, "--json", "--iou", "0.8")
    assert only_json(found.out) == {"map": 0.25, "per_class": {"cow": 0.5, "pig": 0.0}}
    assert found.err == ""


def test_remarks_leave_json_alone(cli: Cli, files: tuple[Path, Path]) -> None:
    files[1].write_text(f"{PREDICTIONS}c.jpg,cow,0.5,0.1,0.2,0.1,0.2\n")
    found = cli("score", *files, "--json")

    assert only_json(found.out)["map"] == 0.75
    assert found.err == f"predictions that count nowhere, on images that {files[0]} does not name: 1\n"
    assert "count nowhere" in cli("score", *files).out


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    ("old", "new", "pattern"), [("XMin", "left", "no column `XMin`"), ("0.3\n", "x\n", ", line 2: `YMax` is 'x'")]
)
def test_score_refuses_by_name(
    cli: Cli, files: tuple[Path, Path], which: int, old: str, new: str, pattern: str
) -> None:
    files[which].write_text(files[which].read_text().replace(old, new, 1))

    assert_refused(cli("score", *files, "--json"), files[which].name, pattern)


def test_score_refuses_what_is_missing_empty_or_in_other_units(cli: Cli, files: tuple[Path, Path]) -> None:
    answer, prediction = files
    assert_refused(cli("score", answer, answer.parent / "none.csv"), r"none\.csv cannot be read", "check the path")
    answer.write_text(ANSWERS.splitlines()[0])
    assert_refused(cli("score", answer, prediction), r"answer\.csv has no box")
    answer.write_text(ANSWERS.splitlines()[0] + "\na.jpg,cow,100,300,100,300\n")
    assert_refused(cli("score", answer, prediction), r"prediction\.csv looks normalised .*answer\.csv is in pixels")
    assert_refused(cli("score", answer, prediction, "--iou", "75"), "--iou", r"see `hypsweep score --help`")


def test_an_empty_prediction_file_has_0(cli: Cli, files: tuple[Path, Path]) -> None:
    files[1].write_text(PREDICTIONS.splitlines()[0])

    assert only_json(cli("score", *files, "--json").out) == {"map": 0.0, "per_class": {"cow": 0.0, "pig": 0.0}}


def test_remarks_name_files_and_classes() -> None:
    screen = Screen(width=40)
    unknown = {f"[red]{number}\x1b": 1 for number in range(7)}
    found = Score(0.75, {"cow": ClassScore(0.5, 2, 3, 1)}, 0, unknown, (4, 5), ordered=False)
    score_remarks(screen.console, found, Path("answer.csv"), Path("prediction.csv"))

    assert screen.text.count("\n") == 4
    assert r"of classes without an answer in answer.csv: 7 ('[red]0\x1b', '[red]1\x1b'" in screen.text
    assert r"'[red]4\x1b', ..)" in screen.text
    assert "without width or height in answer.csv, which nothing meets: 4" in screen.text
    assert "without width or height in prediction.csv, which nothing meets: 5" in screen.text
    assert "prediction.csv is not sorted" in screen.text


def test_class_names_are_text_in_the_table() -> None:
    screen = Screen()
    score_table(screen.console, Score(0.5, {"[red]\x1b": ClassScore(0.5, 2, 3, 1)}, 0, {}, (0, 0), ordered=True))

    assert r"[red]\x1b" in screen.text
