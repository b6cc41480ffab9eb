from __future__ import annotations

from typing import Any

import pytest

from data_prep.errors import InputError
from search.compare.config import load_comparison
from search.config import load_sweep_config
from tests.search.compare.comparisons import comparison, write
from tests.search.conftest import ROOT, SweepFiles

TUNE: dict[str, Any] = {"space": "space.yaml", "trials": 2}
SHIPPED = sorted((ROOT / "configs" / "comparisons").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_comparisons_can_be_read(path: Any) -> None:
    config = load_comparison(path)
    assert load_sweep_config(config.sweep, config.overrides()).epochs
    assert config.name == path.stem


def test_the_reference_comes_first_and_the_others_in_their_order(files: SweepFiles) -> None:
    arms: dict[str, Any] = {"b": {}, "a": {"lr0": 0.1}, "c": {"lr0": 0.2}}
    assert [arm.name for arm in comparison(files, arms=arms).ordered()] == ["b", "a", "c"]
    assert [arm.name for arm in comparison(files, arms=arms, reference="c").ordered()] == ["c", "b", "a"]


def test_weights_of_an_arm_start_at_the_yaml_and_official_names_stay(files: SweepFiles) -> None:
    config = comparison(files, arms={"a": {"weights": "w.pt"}, "b": {"weights": "yolov5n.pt"}, "c": {"weights": None}})
    found = [config.arms[name]["weights"] for name in "abc"]
    assert found == [str(files.folder / "w.pt"), "yolov5n.pt", None]


def test_what_differs_from_the_sweep_wins(files: SweepFiles) -> None:
    config = comparison(files, set={"train.epochs": 2, "metric": "map50"})
    base = load_sweep_config(config.sweep, config.overrides({"metric": "map75"}))
    assert (base.epochs, base.metric) == (2, "map75")


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"arms": {"a": {}}}, "arms"),
        ({"arms": {"a": {}, "b/c": {}}}, "'b/c' is no name of an arm"),
        ({"arms": {"a": {}, "b": {"qqq": 1}}}, r"arms\.b\.qqq is neither"),
        ({"arms": {"a": {}, True: {}}}, "YAML reads the name True as no text; put it in quotes"),
        ({"arms": {"a": {}, "gold+silver": {}}}, "'gold\\+silver' is no name of an arm"),
        ({"name": "a" * 41}, "name"),
        ({"set": {"train": {"epochs": 2}}}, r"train would replace all of `train`; write dotted keys, `train\.epochs: "),
        ({"tune": {**TUNE, "set": {"train.seed": 41}}}, r"tune\.set\.train\.seed is the comparison's own"),
        ({"tune": {**TUNE, "set": {"hyp": "x.yaml"}}}, r"tune\.set\.hyp is the comparison's own"),
        (
            {"arms": {"a": {}, "b": {"optimizer": "Adam"}}, "tune": {**TUNE, "set": {"train.optimizer": "SGD"}}},
            r"tune\.set\.train\.optimizer would undo what an arm sets",
        ),
        ({"reference": "x"}, "reference x is none of the arms poor, good"),
        ({"seeds": 4, "max_seeds": 3}, "max_seeds 3 is less than seeds 4"),
        ({"seeds": 1}, "seeds"),
        ({"smallest_gain": 0}, "smallest_gain"),
        ({"refrence": "x"}, "did you mean `reference`"),
        ({"tune": {"space": "space.yaml"}}, r"tune\.trials` is missing"),
    ],
)
def test_what_is_wrong_is_named(files: SweepFiles, changes: dict[str, Any], pattern: str) -> None:
    path = write(files, **changes)
    with pytest.raises(InputError, match=pattern) as caught:
        load_comparison(path)
    assert str(path) in str(caught.value)
