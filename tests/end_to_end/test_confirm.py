"""A confirmation of real trainings: killed with -9 amid its epochs, gone on with, promoted."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from search.config import load_sweep_config
from search.confirm.ledger import Ledger
from search.promote import PromoteOptions, promote
from search.sweep import Options, run_sweep
from tests.end_to_end.logged_detection import LoggedDetection
from tests.end_to_end.test_real_sweep import TRAIN, Driver, Log, log, write_sweep
from trainable.hyp import Hyp, read_hyp
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings

__all__ = ["log"]  # a fixture

# Over three minutes; the flow confirms in `make test`.
pytestmark = [pytest.mark.slow, pytest.mark.exhaustive, pytest.mark.timeout(400)]
EPOCHS = 6
ASKED = ("--top-k", "1", "--seeds", "2", "--max-seeds", "2")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, shapes: Path, log: Log) -> Path:
    """The folder of a sweep of two trials on the mini set, which falls back to train here."""
    folder = tmp_path_factory.mktemp("confirm")
    config = write_sweep(
        folder,
        shapes,
        {"momentum": {"low": 0.6, "high": 0.98, "default": 0.937}},
        trials=2,
        scheduler={"type": "none"},
        train={**TRAIN, "epochs": EPOCHS, "train_split": "mini_train"},
    )
    return run_sweep(load_sweep_config(config), folder / "run", Options(trainable=LoggedDetection)).run_dir


def newest_epochs(run: Path) -> dict[str, int]:
    """Finished epochs of each training by its checkpoints on disk."""
    found: dict[str, int] = {}
    for path in (run / "confirm" / "ray").rglob("checkpoint.json"):
        trial = path.parent.parent.name
        with contextlib.suppress(ValueError):  # Ray is copying it
            found[trial] = max(found.get(trial, 0), json.loads(path.read_text())["epoch"])
    return found


@pytest.fixture(scope="module")
def killed(swept: Path) -> tuple[Path, dict[str, Any]]:
    """The sweep's folder when its confirmation was killed: one training at least is done and one amid its epochs."""
    driver = Driver(swept.parent, "confirm", swept, *ASKED)
    deadline = time.monotonic() + 200
    ledger = swept / "confirm" / "confirm.json"
    while time.monotonic() < deadline:
        assert driver.process.poll() is None, driver.text()
        if ledger.exists():
            values: dict[str, Any] = json.loads(ledger.read_text())
            if values["trainings"] and any(1 < epoch < EPOCHS - 1 for epoch in newest_epochs(swept).values()):
                driver.process.send_signal(signal.SIGKILL)
                driver.wait()
                return swept, json.loads(ledger.read_text())
        time.sleep(0.02)
    driver.process.kill()
    pytest.fail(f"nothing to kill: {driver.text()}")


@pytest.fixture(scope="module")
def resumed(killed: tuple[Path, dict[str, Any]]) -> tuple[Path, dict[str, Any], str, dict[str, int]]:
    run, before = killed
    reached = newest_epochs(run)
    driver = Driver(run.parent, "confirm", run)
    assert driver.wait(timeout=250) in (0, 1), driver.text()
    return run, before, driver.text(), reached


def test_nothing_that_was_finished_is_trained_again(
    resumed: tuple[Path, dict[str, Any], str, dict[str, int]],
) -> None:
    run, before, text, _ = resumed
    after = json.loads((run / "confirm" / "confirm.json").read_text())
    assert len(before["trainings"]) in (1, 2, 3)
    assert after["trainings"][: len(before["trainings"])] == before["trainings"]
    assert len(after["trainings"]) == 4
    for training in before["trainings"]:
        name = "default" if training["trial"] == 0 else "trial 1"
        assert f"{name}, seed {training['seed']}:" not in text
    assert "Traceback" not in text


def test_what_was_amid_its_epochs_goes_on_from_its_checkpoint(
    resumed: tuple[Path, dict[str, Any], str, dict[str, int]],
) -> None:
    """The checkpoint of the last epoch may have been cut off by the kill; the one before is whole."""
    _, _, text, reached = resumed
    onward = re.findall(r"(default|trial 1), seed (\d): goes on from its checkpoint", text)
    assert onward
    for name, seed in onward:
        number = 2 * (int(seed) - 1) + (name != "default")
        first = re.search(rf"{name}, seed {seed}: epoch (\d)/{EPOCHS}", text)
        assert first is not None
        assert reached[f"trial_{number:05d}"] <= int(first[1]) <= reached[f"trial_{number:05d}"] + 1


def trained_alone(settings: TrainSettings, hyp: Hyp) -> dict[str, Any]:
    """The last epoch of a training in this process, with one thread as a trial of one core has it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        loop = EpochLoop(settings, hyp)
        while not loop.finished:
            last = loop.run_epoch().as_dict()
    finally:
        torch.set_num_threads(threads)
    return last


def test_the_figures_are_those_of_the_loop_alone(
    resumed: tuple[Path, dict[str, Any], str, dict[str, int]], shapes: Path
) -> None:
    """One that was killed and gone on with, too, equals a training in one go; with its seed, on train, to the end."""
    run, before, _, _ = resumed
    ledger = Ledger.read(run / "confirm" / "confirm.json")
    assert ledger is not None
    known = {(each["trial"], each["place"]) for each in before["trainings"]}
    training = next(each for each in ledger.trainings if (each.trial, each.place) not in known)
    settings = TrainSettings.from_mapping({**TRAIN, "data": str(shapes), "epochs": EPOCHS, "seed": training.seed})
    hyp = read_hyp(run / "best_hyp.yaml")
    values = {**hyp.as_dict(), **ledger.plan.params[training.trial]}
    last = trained_alone(settings, type(hyp).from_mapping(values))
    assert training.value == pytest.approx(last["fitness"], rel=1e-6)
    assert training.metrics["train_box_loss"] == pytest.approx(last["train_box_loss"], rel=1e-5)


def test_the_table_has_every_training(resumed: tuple[Path, dict[str, Any], str, dict[str, int]]) -> None:
    run = resumed[0]
    table = pd.read_csv(run / "confirm" / "results.csv")
    assert sorted(zip(table.trial, table.seed, strict=True)) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert (table.epochs == EPOCHS).all()
    assert {"metrics_map75", "metrics_val_box_loss"} < {*table}


def test_what_was_confirmed_decides_what_is_promoted(
    resumed: tuple[Path, dict[str, Any], str, dict[str, int]], log: Log
) -> None:
    run = resumed[0]
    result = json.loads((run / "confirm" / "confirm.json").read_text())["result"]
    log()
    found = promote(run, PromoteOptions(trial=0 if result["trial"] is None else None, epochs=1))
    assert found.trial == (result["trial"] or 0)
    assert (found.confirmation is None) is (result["trial"] is None)
    assert not [line for line in log() if line[1]]  # the confirmation is not run again
