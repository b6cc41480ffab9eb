"""The page with what real pictures do not have: hostile names, many classes, nothing to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.errors import DataMissingError
from data_prep.progress import silent
from tests.trainable.raw_images import draw_images, write_raw
from trainable.error_analysis.analysis import Analysis, analyse
from trainable.error_analysis.kinds import Kind
from trainable.error_analysis.working import working_point
from trainable.error_analysis.write import write

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=y>', "=SUM(A1)", "계")


def made(folder: Path, classes: int, names: tuple[str, ...]) -> tuple[Analysis, str]:
    images = draw_images(12, classes, seed=1, rows=30)
    raw = write_raw(folder / "raw.parquet", images)
    found = analyse(raw, names, working_point(None, None), 0.5)
    write(found, {}, folder, folder / "out", "<b>title</b>", silent)
    return found, (folder / "out" / "errors.html").read_text()


def test_names_are_text_and_no_formula(tmp_path: Path) -> None:
    found, page = made(tmp_path, 3, HOSTILE)
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "<b>title" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert found.working_verdicts.count(Kind.LOCALISATION) > 0
    lines = (tmp_path / "out" / "errors.csv").read_text().splitlines()
    assert any("'=SUM(A1)" in line for line in lines)
    assert not any(",=SUM" in line for line in lines)
    assert page.count("cannot be shown") >= 8  # the drawn pictures do not exist


def test_many_classes_are_cut_and_said_to_be(tmp_path: Path) -> None:
    names = tuple(f"name {index:02d}" for index in range(30))
    found, page = made(tmp_path, 30, names)
    assert len(found.labelled) > 12
    assert page.count("<svg") == 2 + 12
    assert "Plotted are the 12 classes with the most labels." in page
    assert "Shown are the 20 classes with the most labels." in page


def test_one_class_without_errors(tmp_path: Path) -> None:
    (image, *_) = draw_images(1, 1, seed=0)
    width = image.size[1]
    labels = image.labels[:1]
    x, y, w, h = (labels[0, 1:] * width).tolist()
    rows = image.candidates[:1].clone()
    rows[0] = rows.new_tensor([x - w / 2, y - h / 2, x + w / 2, y + h / 2, 0.9, 0])
    raw = write_raw(tmp_path / "raw.parquet", [image._replace(labels=labels, candidates=rows)])
    found = analyse(raw, ["pig"], working_point(None, 0.5), 0.5)
    content = write(found, {}, tmp_path, tmp_path / "out", "title", silent)
    assert content["mean"]["all"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "average_precision": 1.0}
    assert {each["cost"] for each in content["errors"].values()} == {0.0}
    page = (tmp_path / "out" / "errors.html").read_text()
    assert "There is no error at the working confidence." in page
    assert (tmp_path / "out" / "errors.csv").read_text().count("\n") == 1


@pytest.mark.parametrize("count", [0, 3])
def test_without_labels_there_is_nothing_to_judge(tmp_path: Path, count: int) -> None:
    images = [image._replace(labels=image.labels[:0]) for image in draw_images(count, 1, seed=0)]
    raw = write_raw(tmp_path / "raw.parquet", images)
    with pytest.raises(DataMissingError, match=f"none of the {count} pictures has a label"):
        analyse(raw, ["pig"], working_point(None, None), 0.5)


def test_the_same_data_makes_the_same_page(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (made(tmp_path / name, 2, ("a", "b"))[1] for name in ("one", "two"))
    assert one == two
