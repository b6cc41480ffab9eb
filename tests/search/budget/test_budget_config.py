from __future__ import annotations

from typing import Any

import pytest
import yaml

from data_prep.errors import InputError
from search.budget import BudgetConfig, PlateauConfig
from search.config_files import kept_files
from tests.search.conftest import SweepFiles


def test_what_a_sweep_yaml_keeps_of_it(files: SweepFiles) -> None:
    config = files.config(budget={"hours": 8, "plateau": {"trials": 20}})
    assert config.budget == BudgetConfig(hours=8, plateau=PlateauConfig(trials=20))
    kept = yaml.safe_load(kept_files(config)["sweep.yaml"])["budget"]
    assert kept == {"hours": 8.0, "plateau": {"trials": 20, "min_delta": 0.0}}
    assert "budget" not in yaml.safe_load(kept_files(files.config())["sweep.yaml"])


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"epochs": 0}, r"budget\.epochs.*0"),
        ({"epochs": 1.5}, r"budget\.epochs.*1\.5"),
        ({"hours": 0}, r"budget\.hours.*0"),
        ({"hours": float("inf")}, r"budget\.hours.*finite"),
        ({"gpu_hours": -1}, r"budget\.gpu_hours.*-1"),
        ({"target": "high"}, r"budget\.target.*high"),
        ({"plateau": {"trials": 0}}, r"budget\.plateau\.trials.*0"),
        ({"plateau": {"min_delta": 0.1}}, r"budget\.plateau\.trials"),
        ({"plateau": 5}, r"budget\.plateau"),
        ({"hour": 5}, r"budget\.hour.*hours"),
        ({"trials": 5}, r"budget.*`trials`.*top of the sweep's YAML"),
    ],
)
def test_wrong_values_are_named(files: SweepFiles, budget: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        files.config(budget=budget)
