"""Labels of a split as answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.errors import InputError
from trainable.score import score, score_files
from trainable.score_answers import split_answers
from trainable.score_tables import CORNERS, IMAGE, LABEL, read_predictions


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures to validate on: one with two boxes, one without; and others to train on."""
    for split, names in {"train": ["t"], "val": ["a", "b"]}.items():
        for kind in ("images", "labels"):
            (tmp_path / kind / split).mkdir(parents=True)
        for name in names:
            Image.new("RGB", (200, 100)).save(tmp_path / "images" / split / f"{name}.png")
    (tmp_path / "labels" / "train" / "t.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (tmp_path / "labels" / "val" / "a.txt").write_text("0 0.5 0.5 0.1 0.2\n1 0.25 0.5 0.5 1.0\n")
    path = tmp_path / "data.yaml"
    path.write_text("train: images/train\nval: images/val\nnames: [pig, cow]\n")
    return path


def test_corners_are_in_pixels_and_an_empty_picture_has_a_row(data: Path) -> None:
    table = split_answers(data)
    assert table[IMAGE].tolist() == ["a.png", "a.png", "b.png"]
    assert table[LABEL].tolist() == ["pig", "cow", ""]
    assert np.allclose(table.loc[:1, list(CORNERS)], [[90, 110, 40, 60], [0, 100, 0, 100]], atol=1e-3)
    assert table.loc[2, list(CORNERS)].isna().all()


def test_the_score_is_that_of_the_same_answers_in_a_file(data: Path, tmp_path: Path) -> None:
    prediction = tmp_path / "prediction.csv"
    prediction.write_text(
        "ImageID,LabelName,Conf,XMin,XMax,YMin,YMax\n"
        "b.png,pig,0.9,1,20,1,20\na.png,pig,0.8,90,110,40,60\na.png,cow,0.7,0,100,0,100\nelsewhere.png,cow,0.6,0,9,0,9\n"
    )
    found = score_files(data, prediction, 0.75)
    assert {name: own.average_precision for name, own in found.per_class.items()} == {"cow": 1.0, "pig": 0.5}
    assert found.elsewhere == 1

    answer = tmp_path / "answer.csv"
    split_answers(data, "val").to_csv(answer, index=False)
    assert score_files(answer, prediction, 0.75) == found
    assert score(split_answers(data), read_predictions(prediction), 0.75) == found


def test_a_split_goes_with_a_data_yaml_alone(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"answer\.csv is no data\.yaml"):
        score_files(tmp_path / "answer.csv", tmp_path / "p.csv", split="val")
    with pytest.raises(InputError, match="no key `test`"):
        split_answers(data, "test")
