"""A study as a sweep leaves it, written without training anything."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from optuna.trial import TrialState

from search.config_files import kept_files
from search.keys import LAST
from search.study import SweepStudy
from tests.search.conftest import SweepFiles, open_tiny

EPOCHS = 9


@pytest.fixture
def finished(files: SweepFiles) -> Callable[..., SweepStudy]:
    """Writes a sweep's folder: trials that stop at 1, 3 or 9 epochs, one that failed, one at work."""

    def write(trials: int = 20, **changes: Any) -> SweepStudy:
        study, _ = open_tiny(files, trials=trials, **changes)
        for name, text in kept_files(files.config(trials=trials, **changes)).items():
            (files.run / name).write_text(text)
        for place in range(trials):
            _train(study, place)
        return study

    return write


def _train(study: SweepStudy, place: int) -> None:
    trial = study.draw()
    last = (1, 3, EPOCHS)[place % 3] if place else EPOCHS
    quality = 1 - (trial.params["momentum"] - 0.8) ** 2
    for epoch in range(1, last + 1):
        study.report(trial.number, epoch, quality - 0.5**epoch)
    metrics = {"fitness": quality - 0.5**last, "map50": quality}
    study.note(trial.number, LAST, {"epoch": last, "epochs_run": last, "metrics": metrics, "seconds": last * 2.0})
    if place == 4:
        study.report(trial.number, last + 1, math.nan)
        study.finish(trial.number, TrialState.FAIL, reason="diverged <b>badly</b>", kind="diverged")
    elif place != 7:
        complete = last == EPOCHS
        state = TrialState.COMPLETE if complete else TrialState.PRUNED
        study.finish(trial.number, state, metrics["fitness"] if complete else None)
