"""From weights to a page, on real pictures."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from data_prep.errors import DataMissingError, InputError, WorkFailedError
from tests.shapes import draw_shapes
from tests.trainable.pictures import write_yaml
from trainable.error_analysis import Analysis, ErrorOptions, analyse_errors
from trainable.error_analysis.kinds import Kind
from trainable.error_analysis.sizes import SIZES
from trainable.error_analysis.write import ERROR_COLUMNS, MISSING_COLUMNS
from trainable.weights import build_model, save_stripped

pytestmark = pytest.mark.timeout(120)
OPTIONS = ErrorOptions(image_size=160, device="cpu")
FILES = ["errors.csv", "errors.html", "errors.json", "missing_labels.csv", "raw_predictions.parquet"]


@pytest.fixture(scope="module")
def made(
    coco_livestock: Path, yolov5n_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Analysis, list[str]]:
    """A folder with an analysis of official weights, the analysis, and the stages."""
    out, told = tmp_path_factory.mktemp("made") / "errors", []
    found, _ = analyse_errors(
        yolov5n_weights, coco_livestock, out, OPTIONS, lambda stage, done, total: told.append(stage)
    )
    return out, found, told


def test_what_is_left(made: tuple[Path, Analysis, list[str]]) -> None:
    out, found, told = made
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert set(told) == {"predict", "draw"}
    content = json.loads((out / "errors.json").read_text())
    cow = content["per_class"]["all"]["class 19"]
    assert cow["average_precision"] > 0.4
    assert cow["labels"] == sum(content["per_class"][size.name]["class 19"]["labels"] for size in SIZES)
    assert content["working"]["confidence_from"] == "the best mean F1 on these pictures"
    assert (content["image_size"], content["split"], content["iou"]) == (160, "val", 0.5)
    matrix = content["confusion"]["predicted_by_true"]
    assert len(matrix) == 81
    assert sum(row[19] for row in matrix) == cow["labels"]

    errors = list(csv.DictReader((out / "errors.csv").open()))
    assert tuple(errors[0]) == ERROR_COLUMNS
    for kind in Kind:
        assert sum(row["kind"] == kind.name.lower() for row in errors) == content["errors"][kind.name.lower()]["count"]
    root = found.pictures[0].file
    assert all((Path(root).parent / Path(row["file"]).name).exists() for row in errors)
    missing = list(csv.DictReader((out / "missing_labels.csv").open()))
    assert len(missing) == content["missing_labels"]["count"] == len(found.missing)
    assert (out / "missing_labels.csv").read_text().splitlines()[0] == ",".join(MISSING_COLUMNS)


def test_the_page_needs_nothing_else(made: tuple[Path, Analysis, list[str]]) -> None:
    page = (made[0] / "errors.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page) == []
    assert "<script" not in page
    for said in ("Working point", "Confusion matrix", "Errors by kind", "Likely missing labels", "COCO&#x27;s sizes"):
        assert said in page
    assert page.count("<svg") == 2 + len(made[1].labelled)
    assert page.count("data:image/jpeg") >= 10


def test_another_iou_takes_no_network(
    made: tuple[Path, Analysis, list[str]], coco_livestock: Path, yolov5n_weights: Path, tmp_path: Path
) -> None:
    shutil.copy(made[0] / "raw_predictions.parquet", tmp_path)
    told: list[str] = []
    options = ErrorOptions(image_size=160, device="cpu", iou=0.75, confidence=0.4, split="valid")
    found, content = analyse_errors(
        yolov5n_weights, coco_livestock, tmp_path, options, lambda stage, done, total: told.append(stage)
    )
    assert set(told) == {"draw"}
    assert found.mean("average_precision") < made[1].mean("average_precision")
    assert content["working"]["confidence"] == 0.4
    assert all((each.confidences > 0.4).all() for each in found.working_pictures)


def test_a_picture_that_is_gone_is_shown_as_lost(
    made: tuple[Path, Analysis, list[str]], yolov5n_weights: Path, livestock: Path, tmp_path: Path
) -> None:
    """It disappears between prediction and page; the figures stand."""
    source = sorted((livestock.parent / "images" / "val").iterdir())[0]
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(source, tmp_path / "images" / name)
        (tmp_path / "images" / name).with_suffix(".txt")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.1 0.1 0.01 0.01\n")
    data = write_yaml(tmp_path, "images", "images", [f"class {index}" for index in range(80)])

    def remove(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("predict", total):
            (tmp_path / "images" / "a.jpg").unlink()

    _, content = analyse_errors(yolov5n_weights, data, tmp_path / "out", OPTIONS, remove)
    assert (content["pictures"], content["errors"]["missed"]["count"]) == (2, 1)
    assert "cannot be shown" in (tmp_path / "out" / "errors.html").read_text()


@pytest.mark.parametrize("what", ["file", "full"])
def test_a_folder_that_cannot_be_written_is_named_and_stays(
    what: str, made: tuple[Path, Analysis, list[str]], coco_livestock: Path, yolov5n_weights: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out = tmp_path / "out"
    if what == "file":
        out.write_text("in the way")
        with pytest.raises(WorkFailedError, match="out"):
            analyse_errors(yolov5n_weights, coco_livestock, out, OPTIONS)
        assert out.read_text() == "in the way"
        return
    shutil.copytree(made[0], out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trainable.error_analysis.write.write_atomically", full)
    with pytest.raises(WorkFailedError, match="the error analysis cannot be written: the disk is full"):
        analyse_errors(yolov5n_weights, coco_livestock, out, OPTIONS)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iou": 0.1}, "--iou is 0.1"),
        ({"iou": 1.1}, "--iou is 1.1"),
        ({"confidence": 2.0}, "confidence threshold is 2"),
        ({"split": "test"}, "no key `test`"),
        ({"thresholds": Path("gone.yaml")}, r"gone\.yaml cannot be read"),
    ],
)
def test_wrong_options_are_refused(
    coco_livestock: Path, yolov5n_weights: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        analyse_errors(yolov5n_weights, coco_livestock, tmp_path, ErrorOptions(**{**vars(OPTIONS), **changes}))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that predict nothing at all, of one class."""
    path = tmp_path_factory.mktemp("blind") / "weights.pt"
    model = build_model("yolov5n", 1, None)
    with torch.no_grad():
        for layer in model.model[-1].m:
            layer.weight.zero_()
            layer.bias.fill_(-20.0)
    save_stripped(model, path)
    return path


def test_without_a_prediction_all_is_missed(blind: Path, tmp_path: Path) -> None:
    data = draw_shapes(tmp_path / "data", train=1, val=3, seed=1)
    write_yaml(tmp_path / "data", "images/train", "images/val", ["shape"])
    for label in (tmp_path / "data" / "labels").rglob("*.txt"):
        label.write_text("".join(f"0 {line.split(maxsplit=1)[1]}\n" for line in label.read_text().splitlines()))
    options = ErrorOptions(image_size=64, device="cpu")
    found, content = analyse_errors(blind, data, tmp_path / "out", options)
    assert content["errors"]["missed"]["count"] == content["labels"] > 0
    assert content["errors"]["missed"]["cost"] == 1.0
    assert content["mean"]["all"] == {"precision": None, "recall": 0.0, "f1": 0.0, "average_precision": 0.0}
    assert found.missing == []
    assert (tmp_path / "out" / "errors.html").stat().st_size > 10_000

    for label in (tmp_path / "data" / "labels").rglob("*.txt"):
        label.write_text("")
    with pytest.raises(DataMissingError, match="none of the 3 pictures has a label"):
        analyse_errors(blind, data, tmp_path / "none", options)
