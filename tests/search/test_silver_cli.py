"""`hypsweep silver`, as somebody at a terminal sees it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.search.command_line import Cli
from tests.shapes import draw_shapes
from tests.trainable.silver.sets import noise, untrained

pytestmark = pytest.mark.timeout(120)
LOW = ("--confidence", "0.002", "--floor", "0.001", "--image-size", "64", "--device", "cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def gold(weights: Path, tmp_path: Path) -> Path:
    shutil.copy(weights, tmp_path)
    for number in range(2):
        noise(tmp_path / "source" / f"new{number}.png", number)
    gold = draw_shapes(tmp_path / "gold", train=5, val=3, seed=5)
    shutil.copy(gold.parent / "images" / "val" / "001.png", tmp_path / "source" / "leak.png")
    return gold


def test_from_weights_to_a_data_set_that_check_accepts(cli: Cli, gold: Path) -> None:
    done = cli("silver", "weights.pt", "gold", "source", "--out", "both", *LOW, "--min-boxes", "2")
    assert done.code == 0, done.err
    for said in (
        "predict: 2 done", "pictures looked at", "new, taken", "silver boxes",
        "no silver labels: leak.png: the same picture as val/", "note: nothing beside the weights says", "compare",
    ):  # fmt: skip
        assert said in done.out
    assert cli("check", "both").code == 0


def test_json_is_one_object_on_stdout(cli: Cli, gold: Path) -> None:
    done = cli("silver", "weights.pt", "gold/data.yaml", "--out", "both", *LOW, "--json")
    found = json.loads(done.out)
    assert found["pictures"]["offered"] == 5
    assert sum(found["boxes_added"].values()) > 0
    assert found["rule"] == {"confidence": 0.002, "iou": 0.6, "min_boxes": 1, "merge_iou": 0.3}


def test_weights_that_have_seen_val_are_warned_about(cli: Cli, gold: Path, tmp_path: Path) -> None:
    for split, said in (("full", "warning: these weights were trained on pictures of val"), ("train", None)):
        (tmp_path / "train.yaml").write_text(f"train_split: {split}\ndata: {gold}\nimage_size: 64\n")
        done = cli("silver", "weights.pt", "gold", "--out", split, *LOW, "--json")
        assert json.loads(done.out)["weights_have_seen_val"] == (said is not None)
        shown = cli("silver", "weights.pt", "gold", "--out", f"{split}2", *LOW).out
        assert ("trained on pictures of val" in shown) == (said is not None)
        assert "nothing beside the weights" not in shown


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("--min-boxes", "0"), "min_boxes of the silver labels is 0: give a whole number"),
        (("--confidence", "1.2"), "confidence of the silver labels is 1.2"),
        (("--floor", "0.3"), "nothing below the floor is kept"),
        (("--out", "gold"), "is there already"),
    ],
)
def test_wrong_options_are_one_sentence(cli: Cli, gold: Path, changed: tuple[str, str], words: str) -> None:
    done = cli("silver", "weights.pt", "gold", "--out", "both", *LOW, *changed)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert words in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [("none.pt", "gold"), ("weights.pt", "none"), ("weights.pt", "gold", "none")])
def test_wrong_paths_are_named(cli: Cli, gold: Path, arguments: tuple[str, ...]) -> None:
    done = cli("silver", *arguments, "--out", "both", *LOW)
    assert done.code == 2
    assert "none" in done.err
    assert done.err.count("\n") == 1
    assert not Path("both").exists()
