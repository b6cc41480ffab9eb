"""The thresholds of silver labels in a space: ranges and choices, within what a rule can be."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from optuna.distributions import FloatDistribution, IntDistribution

from data_prep.errors import InputError
from search.assembly import Sweep
from search.edges import edge_at
from search.space import Space, load_space
from search.sweep import _models
from tests.search.conftest import ROOT, SweepFiles, open_tiny
from trainable.settings import SILVER, TrainSettings


def space(**parameters: dict[str, Any]) -> Space:
    return Space.model_validate({"parameters": parameters})


def test_ranges_become_settings_of_a_trial() -> None:
    made = space(
        silver_confidence={"low": 0.1, "high": 0.8, "default": 0.5},
        silver_min_boxes={"type": "int", "low": 1, "high": 6, "default": 2},
        silver_merge_iou={"choices": [0.3, 0.5], "default": 0.5},
        silver_iou={"value": 0.7},
        lr0={"low": 0.001, "high": 0.1},
    )
    assert made.distributions()["silver_confidence"] == FloatDistribution(0.1, 0.8)
    assert made.distributions()["silver_min_boxes"] == IntDistribution(1, 6)
    start = made.default_params({"lr0": 0.01})
    hyp, settings = made.split(start)
    assert hyp == {"lr0": 0.01}
    assert settings == {"silver_confidence": 0.5, "silver_min_boxes": 2, "silver_merge_iou": 0.5, "silver_iou": 0.7}
    assert TrainSettings(data="d", epochs=1, **settings).silver == {SILVER[name]: settings[name] for name in SILVER}
    assert {name: made.least(name) for name in (*SILVER, "optimizer")} == {
        "silver_confidence": 0.1, "silver_iou": 0.7, "silver_min_boxes": 1, "silver_merge_iou": 0.3, "optimizer": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "entry", "words"),
    [
        ("silver_confidence", {"low": -0.1, "high": 0.5}, "low of silver_confidence is -0.1, give a number in [0, 1)"),
        ("silver_confidence", {"low": 0.1, "high": 1.0}, "high of silver_confidence is 1.0"),
        ("silver_iou", {"low": 0.1, "high": 1.5}, "high of silver_iou is 1.5"),
        ("silver_merge_iou", {"low": 0.0, "high": 0.5}, "low of silver_merge_iou is 0.0"),
        ("silver_min_boxes", {"low": 1, "high": 5}, "type: int"),
        ("silver_min_boxes", {"type": "int", "low": 0, "high": 5}, "low of silver_min_boxes is 0"),
        ("silver_min_boxes", {"choices": [1, 2.5]}, "value 2.5 of silver_min_boxes"),
        ("silver_confidence", {"choices": [True, 0.5]}, "silver_confidence is True"),
        ("silver_iou", {"value": "high"}, "value 'high' of silver_iou"),
        ("label_smoothing", {"low": 0.0, "high": 0.1}, "write choices"),
    ],
)
def test_what_no_rule_can_be_is_refused(name: str, entry: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=r"Value error") as error:
        space(**{name: entry})
    assert words in str(error.value)


def test_none_is_a_choice_that_leaves_it_to_the_data_set() -> None:
    made = space(silver_iou={"choices": [None, 0.5]})
    assert made.split({"silver_iou": None}) == ({}, {"silver_iou": None})
    assert made.least("silver_iou") == 0.5


def test_the_least_counts_the_base_where_a_threshold_is_not_always_drawn() -> None:
    optimizer = {"choices": ["SGD", "Adam"], "default": "SGD"}
    threshold = {"low": 0.1, "high": 0.9, "default": 0.5}
    always = space(optimizer=optimizer, silver_confidence=threshold)
    sometimes = space(optimizer=optimizer, silver_confidence={**threshold, "when": {"optimizer": ["SGD"]}})
    assert always.least("silver_confidence", 0.01) == 0.1
    assert sometimes.least("silver_confidence", 0.01) == 0.01
    assert sometimes.least("silver_confidence") == 0.1


def test_the_shipped_space_starts_at_the_commands_defaults() -> None:
    made = load_space(ROOT / "configs" / "spaces" / "silver.yaml")
    assert set(made.parameters) == set(SILVER)
    assert made.defaults() == {
        "silver_confidence": 0.5, "silver_iou": 0.6, "silver_min_boxes": 1, "silver_merge_iou": 0.3,
    }  # fmt: skip


def test_no_bound_is_to_be_widened_beyond_what_a_rule_can_be() -> None:
    made = space(silver_min_boxes={"type": "int", "low": 1, "high": 6}, silver_iou={"low": 0.3, "high": 1.0})
    assert edge_at("silver_min_boxes", {"silver_min_boxes": 1}, made) is None
    assert edge_at("silver_iou", {"silver_iou": 1.0}, made) is None
    found = edge_at("silver_min_boxes", {"silver_min_boxes": 6}, made)
    assert found is not None
    assert found.side == "high"


def test_a_study_of_before_silver_labels_goes_on(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    held = study.study.user_attrs["identity"]
    before = {key: value for key, value in held["train"].items() if key not in SILVER}
    assert len(before) == len(held["train"]) - len(SILVER)
    study.study.set_user_attr("identity", {**held, "train": before})
    open_tiny(files, new=False)
    with pytest.raises(InputError, match=r"another train \(silver_iou\)"):
        open_tiny(files, new=False, train={"epochs": 9, "model": "yolov5n", "silver_iou": 0.5})


def test_the_least_thresholds_are_asked_about_before_the_first_trial(files: SweepFiles) -> None:
    parameters = {"silver_confidence": {"low": 0.01, "high": 0.8, "default": 0.5}}
    (files.folder / "space.yaml").write_text(yaml.safe_dump({"parameters": parameters}))
    assert [each.silver for each in _models(Sweep(files.config(), files.run))] == [{"confidence": 0.01}]
