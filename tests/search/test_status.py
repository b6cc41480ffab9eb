from __future__ import annotations

import io
import json
import math

from optuna.trial import TrialState
from rich.console import Console

from search.display import status_table
from search.samplers.keys import PAUSED_KEY
from search.status import sweep_status
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_checkpoints import put
from tests.search.test_results import add, finish_run


def test_states_best_and_table_come_from_the_study(files: SweepFiles) -> None:
    study, _ = open_tiny(files, trials=4, train={"epochs": 2})
    add(study, TrialState.COMPLETE, [0.2, 0.4])
    add(study, TrialState.PRUNED, [0.1])
    add(study, TrialState.FAIL, [], reason="diverged")
    finish_run(files, study, trials=4, train={"epochs": 2})
    status = sweep_status(files.run)
    assert status.states == {"COMPLETE": 1, "PRUNED": 1, "FAIL": 1}
    assert status.best == {"number": 0, "value": 0.4, "epoch": 2}
    assert (status.run_dir, status.planned, status.epochs) == (files.run, 4, 2)
    assert list(status.table.number) == [0, 1, 2]


def test_a_sweep_is_finished_when_all_that_was_planned_has_ended(files: SweepFiles) -> None:
    study, _ = open_tiny(files, trials=2)
    finish_run(files, study, trials=2)
    assert not sweep_status(files.run).finished  # only the default waits
    add(study, TrialState.PRUNED, [0.1])
    running = add(study, None, [0.2])
    assert sweep_status(files.run).states == {"PRUNED": 1, "RUNNING": 1}
    assert not sweep_status(files.run).finished
    study.finish(running, TrialState.PRUNED)
    assert sweep_status(files.run).finished
    study.study.set_user_attr("target", 3)  # extended
    assert sweep_status(files.run).planned == 3
    assert not sweep_status(files.run).finished


def test_paused_trials_are_counted_and_shown(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    for paused_at in (1, None, 1):
        study.note(add(study, None, [0.1]), PAUSED_KEY, paused_at)
    ended = add(study, None, [0.1])
    study.note(ended, PAUSED_KEY, 1)
    study.finish(ended, TrialState.PRUNED)
    finish_run(files, study)
    status = sweep_status(files.run)
    assert (status.states, status.paused) == ({"RUNNING": 3, "PRUNED": 1}, 2)
    assert status.as_dict()["paused"] == 2
    text = io.StringIO()
    status_table(Console(file=text, width=120), status)
    assert "1 PRUNED, 3 RUNNING (2 paused at a rung); 6 planned" in text.getvalue()


def test_json_holds_no_nan_and_whole_numbers(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    add(study, TrialState.FAIL, [math.inf], reason="diverged")
    add(study, TrialState.FAIL, [], reason="crashed")
    add(study, TrialState.PRUNED, [0.3])
    finish_run(files, study)
    text = json.dumps(sweep_status(files.run).as_dict(), allow_nan=False)
    first, second, third = json.loads(text)["trials"]
    assert (first["value"], second["value"], third["value"]) == (None, None, 0.3)
    assert (second["seconds"], second["failure"], third["failure"]) == (None, "crashed", None)
    assert type(third["epochs"]) is int
    assert (second["best_epoch"], third["batch_size"], third["failure_kind"]) == (None, None, None)


def test_what_was_repeated_and_what_is_stored_is_told(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    number = add(study, TrialState.PRUNED, [0.1, 0.2], spent={"epochs_run": 5}, measured={"batch_size": 2})
    add(study, TrialState.FAIL, [], reason="it does not fit with 1 image", kind="memory")
    finish_run(files, study)
    put(files.run / "ray", "session_000", number, "checkpoint_000001", None)
    found = sweep_status(files.run).as_dict()
    assert (found["epochs_run"], found["epochs_repeated"], found["path"]) == (5, 3, "fast")
    assert found["checkpoints"] == {"bytes": 10, "trials": 1}
    assert found["smaller_batches"] == [{"number": number, "ended": 2, "configured": 16}]
    assert found["trials"][1]["failure_kind"] == "memory"
