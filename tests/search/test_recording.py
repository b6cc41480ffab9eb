from __future__ import annotations

import numpy as np
from optuna.trial import TrialState

from search.keys import BEST, LAST
from tests.search.conftest import SweepFiles
from tests.search.test_searcher import build, step


def test_a_finished_trial_keeps_its_last_and_its_best_epoch(files: SweepFiles) -> None:
    searcher, study = build(files, train={"epochs": 3})
    searcher.suggest("a")
    searcher.on_trial_result("a", step(1, 0.2))
    searcher.on_trial_result("a", step(2, 0.9))
    searcher.on_trial_complete("a", step(3, 0.6))
    trial = study.trial(0)
    assert trial.state == TrialState.COMPLETE
    assert trial.value == 0.6
    assert trial.user_attrs[BEST]["epoch"] == 2
    metrics = {"fitness": 0.6, "map50": 0.5, "per_class/cow/map50": 0.1}
    assert trial.user_attrs[LAST] == {"epoch": 3, "seconds": 6.0, "epochs_run": 3, "metrics": metrics}


def test_epochs_that_are_trained_again_are_charged_and_change_nothing_else(files: SweepFiles) -> None:
    searcher, study = build(files)
    searcher.suggest("a")
    for epoch, value in ((1, 0.2), (2, 0.6), (3, 0.5)):
        searcher.on_trial_result("a", step(epoch, value, gpu_memory_peak=epoch))
    before = study.trial(0)
    for epoch, value in ((1, 0.3), (2, 0.7)):  # its checkpoint was gone; a GPU does not repeat itself to the last bit
        searcher.on_trial_result("a", step(epoch, value, gpu_memory_peak=2))
    again = study.trial(0)
    assert again.intermediate_values == before.intermediate_values == {1: 0.2, 2: 0.6, 3: 0.5}
    assert again.user_attrs[BEST] == before.user_attrs[BEST]
    assert again.user_attrs[LAST] == {**before.user_attrs[LAST], "seconds": 10.0, "epochs_run": 5}
    assert again.user_attrs[LAST]["gpu_memory_peak"] == 3
    searcher.on_trial_result("a", step(4, 0.9, gpu_memory_peak=4))
    last = study.trial(0).user_attrs[LAST]
    assert (last["epoch"], last["epochs_run"], last["gpu_memory_peak"]) == (4, 6, 4)
    assert study.trial(0).user_attrs[BEST]["epoch"] == 4


def test_numbers_of_numpy_are_numbers(files: SweepFiles) -> None:
    searcher, study = build(files, train={"epochs": 2})
    searcher.suggest("a")
    searcher.on_trial_result("a", {**step(1, 0.2), "fitness": np.float32(0.25), "boxes": np.int64(7)})
    trial = study.trial(0)
    assert trial.intermediate_values == {1: 0.25}
    assert trial.user_attrs[LAST]["metrics"]["boxes"] == 7
