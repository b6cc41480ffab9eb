"""A dry run under a real Ray, with a trainable that is quick."""

from __future__ import annotations

import json
from typing import Any

import pytest

from data_prep.errors import InputError, WorkFailedError
from search.budget.dry_run import Estimate, dry_run
from search.sweep import Options, run_sweep
from tests.search.budget.test_estimate import shown
from tests.search.command_line import snapshot
from tests.search.conftest import SweepFiles
from tests.search.quadratic_trainable import QuadraticTrainable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("local_ray")]


def estimated(files: SweepFiles, **changes: Any) -> Estimate:
    return dry_run(files.config(**changes), files.run, Options(trainable=QuadraticTrainable))


def test_nothing_is_left_and_two_epochs_were_trained_in_each_slot(files: SweepFiles) -> None:
    files.switch("sleep", "0.5")
    files.write(storage_path="deep/store")
    before = snapshot(files.folder)
    found = estimated(files, storage_path="deep/store", scheduler={"type": "none"}, budget={"epochs": 40, "hours": 1})
    after = snapshot(files.folder)
    assert {name for name in after if name not in before} == {"epochs.log"}
    assert sorted(files.epochs_of(0)) == [1, 1, 2, 2]
    assert found.slots == found.measured.at_a_time == 2
    assert found.measured.epoch_seconds >= 0.5
    assert found.measured.checkpoint_bytes > 0
    assert found.expected.epochs == 6 * 9
    said = {verdict.name: verdict.as_dict() for verdict in found.verdicts}
    assert said["epochs"] == {"name": "epochs", "budget": 40, "expected": 54, "fits": False, "exceeds_by": 14}
    assert said["hours"]["fits"]
    json.dumps(found.as_dict(), allow_nan=False)
    assert "exceeds by 14" in shown(found)


def test_it_checks_what_a_start_checks(files: SweepFiles) -> None:
    for name in ("train", "val"):
        (files.folder / name).mkdir()  # the size of the weights depends on the classes of the data set
    for wrong, words in (
        ({"resources": {"cpus": 99}}, "resources: a trial takes 99 CPUs"),
        ({"constraints": {"weights_megabytes": {"max": 1}}}, "break a constraint"),
        ({"budget": {"gpu_hours": 1}}, r"budget\.gpu_hours: a trial takes no GPU"),
    ):
        with pytest.raises(InputError, match=words):
            estimated(files, **wrong)
        assert not files.run.exists()
    files.run.mkdir()
    (files.run / "notes.txt").write_text("mine")
    assert estimated(files, trials=1, train={"epochs": 1}).slots == 1
    assert [path.name for path in files.run.iterdir()] == ["notes.txt"]
    run_sweep(files.config(trials=1, train={"epochs": 1}), files.run, Options(trainable=QuadraticTrainable))
    held = snapshot(files.run)
    with pytest.raises(InputError, match="holds this sweep already"):
        estimated(files, trials=1, train={"epochs": 1})
    assert snapshot(files.run) == held


def test_a_training_that_fails_is_said(files: SweepFiles) -> None:
    files.switch("diverge_0")
    with pytest.raises(WorkFailedError, match="the epoch that was to be measured failed: diverged at epoch 2"):
        estimated(files)
    files.switch("kill_0", "always")
    with pytest.raises(WorkFailedError, match="the trial that was to be measured died"):
        estimated(files)
    assert not files.run.exists()
