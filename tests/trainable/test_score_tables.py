"""Tables as people write them: what is read, what is refused and where it is said to stand."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_prep.errors import InputError
from tests.trainable.score_cases import CORNERS, Case, assert_like_map_boxes, random_case
from trainable.score import score_files
from trainable.score_tables import check_units, has_class, read_answers, read_predictions

HEAD = "ImageID,LabelName,XMin,XMax,YMin,YMax"
PREDICTED = "ImageID,LabelName,Conf,XMin,XMax,YMin,YMax"
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_table(text: str) -> Path:
        path = tmp_path / "boxes.csv"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return path

    return write_table


def refused(read: Callable[[Path], pd.DataFrame], path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("cells", "line", "said"),
    [
        ("a,cow,0.9,0,x,0,1", 3, "`XMax` is 'x' instead of a finite number"),
        ("a,cow,sure,0,1,0,1", 3, "`Conf` is 'sure'"),
        ("a,cow,0.9,0,1,0,", 3, "`YMax` is ''"),
        ("a,cow,0.9,0,1", 3, "`YMin` is missing"),
        ("a,cow,0.9,0,1,nan,1", 3, "`YMin` is 'nan'"),
        ("a,cow,0.9,0,1,inf,1", 3, "`YMin` is 'inf'"),
        ("a,cow,0.9,0,1,1e39,1", 3, "`YMin` is '1e39'"),
        ("a,cow,True,0,1,0,1", 3, "`Conf` is 'True'"),
        ("a,b.jpg,cow,0.9,0,1,0,1", 3, "`Conf` is 'cow'"),  # a comma in a name without quotes
        (",cow,0.9,0,1,0,1", 3, "`ImageID` is '' instead of the name of an image"),
        ("\n \na,cow,0.9,0,1,0,x", 5, "`YMax` is 'x'"),
        ('"a\nb",cow,0.9,0,1,0,x', 4, "`YMax` is 'x'"),
        ("a,cow,0.9,0,1,0,\x1b[31m", 3, r"`YMax` is '\x1b[31m'"),
    ],
)
def test_a_wrong_cell_is_named_by_line_and_column(write: Write, cells: str, line: int, said: str) -> None:
    path = write(f"{PREDICTED}\nb,cow,0.5,0,1,0,1\n{cells}\nc,cow,0.5,0,1,0,1\nd,cow,-,-,-,-,-\n")

    assert f", line {line}: {said}" in refused(read_predictions, path)


def test_a_wrong_cell_far_down_is_named_without_a_warning(write: Write) -> None:
    path = write(f"{HEAD}\n" + "a,cow,0.125,0.25,0.125,0.25\n" * 150_000 + "a,cow,0,1,0,x\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "line 150002: `YMax` is 'x'" in refused(read_answers, path)


def test_true_and_false_alone_are_no_numbers(write: Write) -> None:
    assert "line 2: `XMin` is 'True'" in refused(read_answers, write(f"{HEAD}\na,cow,True,1,0,1\n"))


@pytest.mark.parametrize("column", PREDICTED.split(","))
def test_a_missing_or_double_column_is_named(write: Write, column: str) -> None:
    row = "a,cow,0.5,0,1,0,1"
    assert f"no column `{column}`" in refused(read_predictions, write(PREDICTED.replace(column, "x") + f"\n{row}\n"))
    text = f"{PREDICTED},{column}\n{row},0\n"
    assert f"more than one column `{column}`" in refused(read_predictions, write(text))


def test_what_is_no_table_is_refused(write: Write, tmp_path: Path) -> None:
    assert "no column `ImageID`" in refused(read_answers, write(""))
    assert "UTF-8" in refused(read_answers, write("Image\udcffID\n"))
    late = "a,cow,0,1,0,1\n" * 10_000  # beyond what is read to find the columns
    assert "UTF-8" in refused(read_answers, write(f"{HEAD}\n{late}\udcff,cow,0,1,0,1\n"))
    assert "cannot be read" in refused(read_answers, write(f'{HEAD}\n"a,cow,0,1,0,1\n'))
    assert "is no file" in refused(read_answers, tmp_path)
    assert "No such file" in refused(read_answers, tmp_path / "none.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    assert "is no file" in refused(read_answers, tmp_path / "pipe.csv")


def test_columns_stand_in_any_order_among_others(write: Write) -> None:
    path = write("\ufeffYMax,note,LabelName,XMin,ImageID,YMin,XMax\r\n4,hello,cow,1,a,3,2\r\n")
    row = read_answers(path).iloc[0]

    assert (row["ImageID"], row["LabelName"]) == ("a", "cow")
    assert [row[name] for name in ("XMin", "XMax", "YMin", "YMax")] == [1, 2, 3, 4]


def test_names_are_what_is_written(write: Write) -> None:
    """Pandas would make 7, 1.0, missing values, True and 1000 of some."""
    names = ["007", "1.00", "NA", "None", "TRUE", "1e3", " a ", "돼지"]
    table = read_answers(write("\n".join([HEAD, *(f"{name},{name},0,1,0,1" for name in names)]) + "\n"))

    assert list(table["ImageID"]) == list(table["LabelName"]) == names
    assert has_class(table).all()


def test_a_comma_at_the_end_of_every_line_moves_no_column(write: Write) -> None:
    assert read_answers(write(f"{HEAD}\na,cow,0,1,2,3,\nb,cow,0,1,2,3,\n"))["YMax"].tolist() == [3, 3]


def test_a_row_without_class_needs_no_box(write: Write) -> None:
    table = read_answers(write(f"{HEAD}\na,,,,,\nb,nan,x,,,\nc\nd,cow,0,1,0,1\n"))

    assert has_class(table).tolist() == [False, False, False, True]
    assert math.isnan(table["XMin"][0])


def test_a_file_with_a_suffix_of_compression_is_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv.gz"
    path.write_text(f"{HEAD}\na,cow,0,1,0,1\n")

    assert len(read_answers(path)) == 1


@pytest.mark.parametrize("seed", range(10))
def test_files_equal_map_boxes_on_tables(tmp_path: Path, seed: int) -> None:
    case = random_case(np.random.default_rng(seed), most=60)
    files = tmp_path / "answer.csv", tmp_path / "prediction.csv"
    for table, file in zip(case[:2], files, strict=True):
        table.to_csv(file, index=False)
    empty = {corner: [""] for corner in CORNERS}
    written = Case(*(pd.read_csv(file, keep_default_na=False, na_values=empty) for file in files), case.iou)

    assert_like_map_boxes(written, score_files(*files, case.iou))


def boxes(*corners: tuple[float, float, float, float]) -> pd.DataFrame:
    table = pd.DataFrame(corners, columns=["XMin", "XMax", "YMin", "YMax"], dtype=np.float32)
    table.insert(0, "LabelName", pd.Categorical(["cow"] * len(corners)))
    table.insert(0, "ImageID", pd.Categorical(["a"] * len(corners)))
    return table


NORMALISED, PIXELS = boxes((0.1, 0.2, 0.1, 0.3)), boxes((10, 200, 10, 300))
FILES = Path("answer.csv"), Path("prediction.csv")


def test_normalised_and_pixels_are_told_apart_by_name() -> None:
    with pytest.raises(InputError, match=r"^answer\.csv looks normalised .*prediction\.csv is in pixels \(up to 300\)"):
        check_units(NORMALISED, PIXELS, FILES)
    with pytest.raises(InputError, match=r"^prediction\.csv looks normalised .* answer\.csv is in pixels"):
        check_units(PIXELS, NORMALISED, FILES)


@pytest.mark.parametrize(
    ("answers", "predictions"),
    [
        (NORMALISED, NORMALISED),
        (PIXELS, PIXELS),
        (NORMALISED, boxes()),
        (boxes((0, 0, 0, 0)), PIXELS),  # flat boxes in pixels
        (boxes((0, 1, 0, 1)), PIXELS),
        (NORMALISED, boxes((0.1, 0.2, 0.1, 0.3), (0.1, 3, 0.1, 0.5))),  # one far out of its image
        (NORMALISED, boxes((0.5, 1.5, 0.1, 0.3))),  # the competition's answers reach to 1.47
    ],
)
def test_what_may_meet_is_left_alone(answers: pd.DataFrame, predictions: pd.DataFrame) -> None:
    check_units(answers, predictions, FILES)


def test_an_answer_file_without_a_box_is_refused(tmp_path: Path) -> None:
    answer, prediction = tmp_path / "answer.csv", tmp_path / "prediction.csv"
    prediction.write_text(f"{PREDICTED}\n")
    for rows in ("", "a,,,,,\n"):
        answer.write_text(f"{HEAD}\n{rows}")
        with pytest.raises(InputError, match=r"answer\.csv has no box"):
            score_files(answer, prediction)
