"""Finished sweeps on disk, made without training, to confirm."""

from __future__ import annotations

from typing import Any

import yaml
from optuna.trial import TrialState

from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_results import add, finish_run

EPOCHS = 3
POOR = 0.3
"""Momentum of the default hyp: the quadratic's best is 0.8, so it loses 0.25 of fitness."""


def swept(files: SweepFiles, values: list[float], *, momentum: float = POOR, **changes: Any) -> SweepFiles:
    """A sweep with one COMPLETE trial for each value; the first is the default hyp's."""
    (files.folder / "hyp.yaml").write_text(yaml.safe_dump({"momentum": momentum}))
    changes = {"hyp": "hyp.yaml", "train": {"epochs": EPOCHS, "model": "yolov5n", "seed": 40}, **changes}
    study, _ = open_tiny(files, **changes)
    for value in values:
        add(study, TrialState.COMPLETE, [value] * EPOCHS)
    finish_run(files, study, **changes)
    return files


def narrow(files: SweepFiles, low: float, high: float) -> None:
    """Let the search draw momentum from a range."""
    ranges = {"momentum": {"low": low, "high": high, "default": low}}
    (files.folder / "space.yaml").write_text(yaml.safe_dump({"parameters": ranges}))
