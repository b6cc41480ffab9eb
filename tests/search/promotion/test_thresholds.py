"""Thresholds of a promotion: from a real checkpoint, or none and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.promotion.thresholds import unless_shown, write_thresholds
from tests.search.promotion.test_card import confirmation
from tests.shapes import draw_shapes
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings
from trainable.thresholds import read_thresholds, thresholds_beside

pytestmark = pytest.mark.timeout(120)


def checkpoint(data: Path, folder: Path) -> str:
    """After one epoch of a tiny training."""
    loop = EpochLoop(
        TrainSettings(data=str(data), epochs=1, model="yolov5n", image_size=64, batch_size=8, device="cpu"), Hyp()
    )
    loop.run_epoch()
    loop.save(folder / "checkpoint")
    return str(folder / "checkpoint")


def test_they_are_chosen_with_the_confirmed_weights(shapes: Path, tmp_path: Path) -> None:
    found = replace(confirmation(tmp_path), checkpoint=checkpoint(shapes, tmp_path))
    (tmp_path / "promoted").mkdir()
    said: list[str] = []
    chosen = write_thresholds(found, "f1", tmp_path / "promoted", said.append)
    path = thresholds_beside(tmp_path / "promoted" / "weights.pt")
    assert path is not None
    text = path.read_text()
    assert "trained on `train` alone" in text.splitlines()[0]
    assert chosen.content == yaml.safe_load(text)
    assert chosen.content is not None
    assert (chosen.content["metric"], chosen.content["split"], chosen.content["images"]) == ("f1", "val", 12)
    assert chosen.content["weights"] == "trial_00002_confirmed.pt"
    assert read_thresholds(path).image_size == 64
    assert [each.name for each in (tmp_path / "promoted").iterdir()] == ["thresholds.yaml"]
    assert said == ["choosing thresholds by f1 on `val`, with the confirmed weights of trial 2"]


def tuned(shown: bool) -> dict[str, Any]:
    setting = {"confidence": 0.001, "iou": 0.7, "max_detections": 100, "agnostic": True}
    default = {"confidence": 0.001, "iou": 0.6, "max_detections": 300, "agnostic": False, "value": 0.2, "map50": 0.3}
    values = {"chosen": {"value": 0.21, "map50": 0.31}, "default": default}
    return {"chosen": setting, "gain": {"shown": shown}, "values": values, "notes": ["a note"], "image_size": 64}


def test_what_is_not_shown_to_be_better_is_not_taken() -> None:
    assert unless_shown(tuned(shown=True)) == tuned(shown=True)
    found = unless_shown(tuned(shown=False))
    assert found["chosen"] == {"confidence": 0.001, "iou": 0.6, "max_detections": 300, "agnostic": False}
    assert found["values"]["chosen"] == {"value": 0.2, "map50": 0.3}
    assert found["best_found"] == {**tuned(shown=False)["chosen"], "value": 0.21, "map50": 0.31}
    assert found["notes"][0] == "a note"
    assert "best_found" in found["notes"][1]


@pytest.mark.parametrize("confirmed", [False, True])
def test_without_weights_that_have_not_seen_valid_there_are_none(tmp_path: Path, confirmed: bool) -> None:
    found = replace(confirmation(tmp_path), checkpoint=None) if confirmed else None
    chosen = write_thresholds(found, "f1", tmp_path, lambda _: None)
    assert chosen.content is None
    assert ("left no checkpoint" if confirmed else "nothing was confirmed") in chosen.reason
    assert list(tmp_path.iterdir()) == []


def test_too_few_pictures_or_a_lost_checkpoint_do_not_withhold_the_weights(tmp_path: Path) -> None:
    data = draw_shapes(tmp_path / "data", train=8, val=1, seed=1)
    found = replace(confirmation(tmp_path), checkpoint=checkpoint(data, tmp_path))
    out = tmp_path / "out"
    out.mkdir()
    chosen = write_thresholds(found, "f1", out, lambda _: None)
    assert chosen.content is None
    assert "at least two images" in chosen.reason
    lost = write_thresholds(replace(found, checkpoint=str(tmp_path / "gone")), "f1", out, lambda _: None)
    assert "holds no whole checkpoint" in lost.reason
    assert list(out.iterdir()) == []
