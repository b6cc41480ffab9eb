"""The commands about finished models: ``score``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.command_line import Cli, assert_refused, only_json, snapshot

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
