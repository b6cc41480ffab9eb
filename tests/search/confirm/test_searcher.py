"""What is written down of each end of a training; no Ray is needed for it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher

from data_prep.errors import DataMissingError, InputError, WorkFailedError
from search.confirm.ledger import Ledger
from search.confirm.searcher import ConfirmSearcher
from search.crashes import Crash
from search.space import Space
from search.trial_plan import TrialPlan
from tests.search.confirm.test_ledger import PLAN, ledger

COMMON = TrialPlan(
    space=Space.model_validate({"parameters": {"momentum": {"low": 0.1, "high": 0.98}}}),
    hyp={"lr0": 0.01, "momentum": 0.9},
    train={"data": "data.yaml", "epochs": 4, "train_split": "train", "seed": 40},
    epochs=4,
    metric="fitness",
    mode="max",
    trials=3,
    max_concurrent=2,
)
LAST = {"epoch": 4, "fitness": 0.3, "time_this_iter_s": 2.0, "done": True}


class Desk:
    """A searcher, its ledger and what it said."""

    def __init__(self, folder: Path) -> None:
        self.book, self.said = ledger(folder), list[str]()
        self.searcher = ConfirmSearcher(
            self.book, COMMON, lambda number: f"/at/{number}" if number == 1 else None, self.crash, self.said.append
        )
        self.why = Crash("crashed: RuntimeError: fire")

    def crash(self, trial_id: str) -> Crash:
        return self.why


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_configuration_is_the_hyp_on_train_with_its_seed(desk: Desk) -> None:
    first, second = desk.searcher.suggest("a"), desk.searcher.suggest("b")
    assert first == {
        "trial_number": 0,
        "hyp": {"lr0": 0.01, "momentum": 0.9},
        "train": {"data": "data.yaml", "epochs": 4, "train_split": "train", "seed": 41},
        "checkpoint": None,
    }
    assert second is not None
    assert (second["trial_number"], second["hyp"]["momentum"], second["checkpoint"]) == (1, 0.8, "/at/1")
    assert desk.searcher.suggest("c") is None  # two at a time
    assert desk.said == ["default, seed 41: starts", "trial 7, seed 41: goes on from its checkpoint"]


def test_the_last_epochs_value_is_what_counts(desk: Desk) -> None:
    desk.searcher.suggest("a")
    desk.searcher.on_trial_result("a", {"epoch": 3, "fitness": 0.9, "time_this_iter_s": 1.0})
    desk.searcher.on_trial_complete("a", LAST)
    (training,) = desk.book.trainings
    assert (training.trial, training.seed, training.value, training.epochs, training.seconds) == (0, 41, 0.3, 4, 3.0)
    assert training.metrics == {"fitness": 0.3}
    read = Ledger.read(desk.book.path)
    assert read is not None
    assert read.trainings == desk.book.trainings


@pytest.mark.parametrize(
    "result",
    [
        {"epoch": 3, "fitness": math.nan, "failure": "diverged in epoch 3", "failure_kind": "diverged"},
        {"epoch": 3, "fitness": math.nan, "failure": "not one image fits", "failure_kind": "memory"},
        {"epoch": 3, "fitness": math.nan},
    ],
)
def test_a_hyp_that_diverges_or_finds_no_memory_has_lost(desk: Desk, result: dict[str, Any]) -> None:
    desk.searcher.suggest("a")
    desk.searcher.on_trial_complete("a", {"time_this_iter_s": 1.0, **result})
    (training,) = desk.book.trainings
    assert (training.value, training.epochs) == (None, 2)
    assert training.failure
    assert desk.searcher.error is None
    assert "lost, " in desk.said[-1]


@pytest.mark.parametrize(("kind", "error"), [("data", DataMissingError), ("input", InputError)])
def test_what_every_training_would_meet_ends_it(desk: Desk, kind: str, error: type[Exception]) -> None:
    desk.searcher.suggest("a")
    desk.searcher.on_trial_complete("a", {"epoch": 1, "failure": "gone", "failure_kind": kind})
    assert type(desk.searcher.error) is error
    assert desk.book.trainings == ()
    assert desk.searcher.suggest("b") is None


def test_a_crash_for_good_ends_it_and_the_training_waits(desk: Desk) -> None:
    desk.searcher.suggest("a")
    desk.searcher.on_trial_complete("a", error=True)
    assert isinstance(desk.searcher.error, WorkFailedError)
    assert str(desk.searcher.error) == "default, seed 41: crashed: RuntimeError: fire"
    assert desk.book.due()[0] == (0, 0)


def test_one_that_was_stopped_from_outside_waits(desk: Desk) -> None:
    desk.searcher.suggest("a")
    desk.searcher.on_trial_complete("a", {**LAST, "epoch": 2})
    desk.searcher.suggest("b")
    desk.searcher.on_trial_complete("b", None)
    assert desk.book.trainings == ()
    assert desk.searcher.error is None


def test_a_full_disk_is_no_log_line(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    desk.searcher.suggest("a")
    monkeypatch.setattr(Ledger, "write", full)
    with pytest.raises(OSError, match="No space"):
        desk.searcher.on_trial_complete("a", LAST)
    assert isinstance(desk.searcher.error, OSError)


def test_at_the_end_there_is_no_more(desk: Desk) -> None:
    count = 0
    while isinstance(desk.searcher.suggest(str(count)), dict):
        desk.searcher.on_trial_complete(str(count), LAST)
        count += 1
    assert count == 3 * 2  # all alike, without noise: the default is kept after the first round
    assert desk.searcher.suggest("end") == Searcher.FINISHED
    assert PLAN.trials == (0, 7, 3)
