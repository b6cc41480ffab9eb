"""The model card: what it says of a promotion, in each of its cases."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from data_prep.dataset import read_data_yaml
from data_prep.manifest import Manifest, SplitSummary
from search.cli import app
from search.config import SweepConfig, load_sweep_config
from search.confirm.result import Confirmation, Row
from search.confirm.verdict import Verdict
from search.promotion.card import model_card
from search.promotion.facts import CardFacts
from search.promotion.thresholds import FoundThresholds
from tests.search.conftest import SweepFiles
from trainable.export import OnnxExport
from trainable.hyp import Hyp
from trainable.onnx_check import OnnxCheck, Tolerance
from trainable.settings import TrainSettings

QUALITY = {"precision": 0.91, "recall": 0.82, "map50": 0.73, "map75": 0.64, "map50_95": 0.55}


@pytest.fixture
def facts(files: SweepFiles, shapes: Path) -> CardFacts:
    """A promotion that was taken as it is, on a stock data set without a test split."""
    config: SweepConfig = load_sweep_config(files.write(data=str(shapes), train={"epochs": 2, "model": "yolov5n"}))
    metrics: dict[str, Any] = {
        "trial": 2, "trial_value": 0.4321, "trial_0_value": 0.3, "data_sha256": "d" * 64, "weights_sha256": "e" * 64,
        "megabytes": 3.84, "date": "2026-11-29T10:00:00+00:00", "test": None,
        "versions": {"python": "3.11.7", "torch": "2.14.1"},
    }  # fmt: skip
    return CardFacts(
        run_dir=files.run,
        config=config,
        states={"COMPLETE": 2, "PRUNED": 3},
        searched={"lr0": 0.0123},
        settings=replace(config.settings(), train_split="full", val_split=None, epochs=7),
        hyp=Hyp(lr0=0.0123),
        metrics=metrics,
        confirmed=None,
        data=read_data_yaml(shapes),
        manifest=None,
        thresholds=FoundThresholds(None, "nothing was confirmed"),
        onnx=None,
    )


def confirmation(run: Path) -> Confirmation:
    rows = (
        Row(0, 0.3, 4, 0.31, 0.01, None, None, None, 0),
        Row(2, 0.43, 4, 0.40, 0.01, 0.09, 0.05, 0.13, 0),
    )
    return Confirmation(
        run_dir=run, verdict=Verdict.PROMOTE, trial=2, metric="fitness", epochs=5, look=4, smallest_gain=0.01, sd=0.01,
        rows=rows, ranks=(), failures=(), next_command=None, checkpoint="somewhere",
    )  # fmt: skip


THRESHOLDS = {
    "chosen": {"confidence": 0.05, "iou": 0.68, "max_detections": 300, "agnostic": False},
    "metric": "score75",
    "gain": {"value": 0.0123, "low": -0.002, "high": 0.03},
    "notes": ["the interval of the gain holds 0"],
    "values": {
        "chosen": {"value": 0.5},
        "default": {"confidence": 0.001, "iou": 0.6, "max_detections": 300, "agnostic": False, "value": 0.48},
    },
    "split": "val",
    "images": 12,
    "image_size": 640,
}


def test_every_part_of_the_command_lines_is_known(facts: CardFacts) -> None:
    """Each command of the page is parsed by the command line itself."""
    full = replace(
        facts,
        confirmed=confirmation(facts.run_dir),
        thresholds=FoundThresholds(THRESHOLDS),
        run_dir=facts.run_dir / "a folder; with 'signs'",
    )
    import typer.main

    group: Any = typer.main.get_command(app)
    for card in (model_card(facts), model_card(full)):
        commands = re.findall(r"^hypsweep .*$", card, re.M)
        assert [line.split()[1] for line in commands][-2:] == ["predict", "score"]
        for line in commands:
            _, name, *rest = shlex.split(line)
            command = group.commands[name]
            command.make_context(name, rest)  # refuses an unknown option
    assert f"hypsweep sweep '{facts.run_dir}/a folder; with '\"'\"'signs'\"'\"'/sweep.yaml' --out runs/again" in card
    assert (
        "hypsweep confirm runs/again --top-k 1 --max-seeds 4 --epochs 5 --metric fitness --smallest-gain 0.01" in card
    )
    assert "hypsweep promote runs/again --epochs 7 --threshold-metric score75 --no-onnx" in card
    assert "hypsweep promote runs/again --trial 2 --epochs 7 --no-onnx" in model_card(facts)


def test_what_was_taken_as_it_is_says_so(facts: CardFacts) -> None:
    card = model_card(facts)
    assert card.startswith("# tiny: yolov5n\n")
    assert "**Not confirmed: it was chosen by single trainings.**" in card
    assert "**This model has seen `val`.**" in card
    assert "There are none: the data set has no test split." in card
    assert "None were chosen: nothing was confirmed." in card
    assert "weights.onnx" not in card
    assert "`thresholds.yaml`" not in card
    assert "5 trials (2 COMPLETE, 3 PRUNED)" in card
    assert "trial 2 had fitness 0.4321, the hyp that it started from 0.3000." in card
    assert "a stock one without `manifest.json`" in card
    assert "| train | 24 |\n| val | 12 |" in card
    assert "e" * 64 in card
    assert "python 3.11.7, torch 2.14.1." in card
    assert "lr0: 0.0123" in card


def test_figures_and_gain_with_its_interval(facts: CardFacts) -> None:
    test = {**QUALITY, "fitness": 0.5, "per_class": {"pig|cow": QUALITY}}
    card = model_card(replace(facts, metrics={**facts.metrics, "test": test}, confirmed=confirmation(facts.run_dir)))
    assert "| all | 0.9100 | 0.8200 | 0.7300 | 0.6400 | 0.5500 |" in card
    assert r"| pig\|cow | 0.9100 |" in card
    assert (
        "**Confirmed: better than the default hyp (+0.09 fitness, at least +0.05, over 4 seeds and 5 epochs).**" in card
    )
    assert "| default | 4 | 0.3100 |  |  |" in card
    assert "| trial 2 | 4 | 0.4000 | +0.0900 | +0.0500 to +0.1300 |" in card


def test_a_default_that_nothing_was_compared_with(facts: CardFacts) -> None:
    alone = replace(
        confirmation(facts.run_dir),
        verdict=Verdict.KEEP_DEFAULT,
        trial=0,
        look=0,
        rows=(Row(0, 0.3, 0, None, None, None, None, None, 0),),
    )
    card = model_card(replace(facts, metrics={**facts.metrics, "trial": 0}, confirmed=alone))
    assert "of the default hyp (trial 0)" in card
    assert "There was no other hyp to compare." in card
    assert "| default |" not in card


def test_thresholds_and_onnx(facts: CardFacts) -> None:
    check = OnnxCheck(0.00123, 4e-6, 1000, Tolerance(0.05, 1e-3), ((1, 3, 64, 96),), 4)
    card = model_card(
        replace(
            facts,
            thresholds=FoundThresholds(THRESHOLDS),
            onnx=OnnxExport(Path("weights.onnx"), (64, 96), dynamic=False, half=False, megabytes=7.6, check=check),
        )
    )
    assert "| confidence | 0.001 | 0.05 |" in card
    assert "| score75 | 0.4800 | 0.5000 |" in card
    assert "+0.0123 (95 % interval -0.0020 to +0.0300)" in card
    assert "- the interval of the gain holds 0" in card
    assert "trained on `train` alone" in card
    assert "`images` (1, 3, 64, 96), float32" in card
    assert "1000 boxes, of noise and 4 pictures: 0.0012 px (allowed 0.05) and 4e-06 in confidence" in card


def test_a_prepared_data_set_with_its_hashes(facts: CardFacts) -> None:
    split = SplitSummary(images=20, background=1, boxes={"disc": 30, "square": 31}, list_sha256="a" * 64)
    manifest = Manifest(
        names=("disc", "square"), seed=5, config={}, inputs_sha256="b" * 64, findings={}, groups=9,
        groups_sha256="c" * 64, splits={"train": split, "valid": split}, files_sha256="f" * 64,
    )  # fmt: skip
    card = model_card(replace(facts, manifest=manifest))
    assert "| split | pictures | without a box | boxes: disc | boxes: square |" in card
    assert "| valid | 20 | 1 | 30 | 31 |" in card
    for digest in ("b" * 64, "f" * 64, "d" * 64):
        assert digest in card


def test_the_page_is_whole_markdown(facts: CardFacts) -> None:
    card = model_card(replace(facts, confirmed=confirmation(facts.run_dir), thresholds=FoundThresholds(THRESHOLDS)))
    html = MarkdownIt("commonmark").enable("table").render(card)
    headings = re.findall(r"<h2>(.*?)</h2>", html)
    assert headings == ["Files", "Figures", "Thresholds", "Data", "Sweep", "Training", "Versions", "Repeat"]
    assert html.count("<table>") == 5
    assert "| ---" not in html
    assert TrainSettings.__name__ not in card
