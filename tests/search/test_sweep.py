"""Sweeps under a real Ray, with a trainable that is quick."""

from __future__ import annotations

import errno
import io
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from data_prep.errors import InputError, WorkFailedError
from search.assembly import Sweep
from search.config import load_sweep_config
from search.drivers import driver
from search.keys import TARGET
from search.results import read_run
from search.status import sweep_status
from search.sweep import Options, SweepResult, resume_sweep, run_sweep
from tests.search.conftest import SweepFiles
from tests.search.quadratic_trainable import QuadraticTrainable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.usefixtures("local_ray")]


def run(files: SweepFiles, **changes: Any) -> SweepResult:
    return run_sweep(files.config(**changes), files.run, Options(trainable=QuadraticTrainable))


def trials(files: SweepFiles) -> list[FrozenTrial]:
    return read_run(files.run)[1].get_trials()


def listing(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def eventful(tmp_path_factory: pytest.TempPathFactory, local_ray: None) -> tuple[SweepFiles, SweepResult, str]:
    """A sweep in which trials finish, are stopped, diverge, crash for good and crash in passing."""
    files = SweepFiles(tmp_path_factory.mktemp("eventful"))
    files.switch("diverge_2")
    files.switch("crash_3", "always")
    files.switch("crash_4", "2")
    text = io.StringIO()
    config = files.config(trials=14, train={"epochs": 9, "model": "yolov5n"}, scheduler={"grace_period": 3})
    options = Options(trainable=QuadraticTrainable, console=Console(file=text, width=150))
    return files, run_sweep(config, files.run, options), text.getvalue()


def test_every_trial_is_told_what_it_was(eventful: tuple[SweepFiles, SweepResult, str]) -> None:
    files, result, _ = eventful
    found = trials(files)
    assert len(found) == 14
    assert Counter(t.state.name for t in found) == Counter(result.states)
    assert found[2].state == TrialState.FAIL
    assert found[2].user_attrs["failure"] == "diverged at epoch 2: the loss is NaN"
    assert found[3].state == TrialState.FAIL
    assert found[3].user_attrs["failure"] == "crashed: RuntimeError: the disk is on fire"
    assert [found[n].user_attrs["failure_kind"] for n in (2, 3)] == ["diverged", "crash"]
    others = [t for t in found if t.number not in (2, 3)]
    assert {t.state for t in others} == {TrialState.COMPLETE, TrialState.PRUNED}
    for trial in others:
        last = max(trial.intermediate_values)
        assert trial.value == trial.intermediate_values[last]
        assert (trial.state == TrialState.COMPLETE) is (last == 9)
        assert sorted(trial.intermediate_values) == list(range(1, last + 1))
    assert not result.interrupted


def test_a_diverged_trial_is_not_run_again_and_a_crashed_one_is(eventful: tuple[SweepFiles, SweepResult, str]) -> None:
    files, _, _ = eventful
    epochs = Counter((trial, epoch) for trial, epoch, _ in files.epochs())
    assert epochs[2, 2] == 1
    assert epochs[3, 2] == 4  # once and three times more
    assert epochs[4, 2] == 3
    assert epochs[4, 1] == 1  # from its checkpoint, not from the start


def test_workers_are_reused(eventful: tuple[SweepFiles, SweepResult, str]) -> None:
    files, _, _ = eventful
    crashes = 4 + 2  # each takes its worker with it
    assert len({pid for _, _, pid in files.epochs()}) <= 2 + crashes
    served = Counter(pid for pid, _ in {(pid, trial) for trial, _, pid in files.epochs()})
    assert max(served.values()) >= 3


def test_what_a_sweep_leaves(eventful: tuple[SweepFiles, SweepResult, str]) -> None:
    files, result, _ = eventful
    left = {path.name for path in files.run.iterdir()}
    assert left >= {"sweep.yaml", "study.journal", "results.csv", "results.parquet", "best_hyp.yaml", "best_train.yaml"}
    table = pd.read_csv(files.run / "results.csv")
    assert len(table) == 14
    assert result.best is not None
    assert result.best.value == table[table.state == "COMPLETE"].value.max()
    assert {path.name for path in (files.run / "tensorboard").iterdir()} == {f"trial_{n:05d}" for n in range(14)}


def test_progress_is_plain_lines_and_ray_is_silent(
    eventful: tuple[SweepFiles, SweepResult, str], capfd: pytest.CaptureFixture[str], files: SweepFiles
) -> None:
    text = eventful[2]
    assert "trial 3 FAIL after 1 of 9 epochs" in text
    assert "14/14 trials" in text
    capfd.readouterr()
    run(files, trials=2, train={"epochs": 2})
    printed = capfd.readouterr()
    assert printed.out.strip() == ""
    assert printed.err.strip() == ""


def test_a_finished_sweep_is_extended(files: SweepFiles) -> None:
    run(files, trials=3, train={"epochs": 2})
    before = trials(files)
    again = resume_sweep(files.run, options=Options(trainable=QuadraticTrainable))
    assert sum(again.states.values()) == 3  # nothing to do
    result = resume_sweep(files.run, trials=2, options=Options(trainable=QuadraticTrainable))
    after = trials(files)
    assert sum(result.states.values()) == len(after) == 5
    assert [(t.params, t.values, t.datetime_complete) for t in after[:3]] == [
        (t.params, t.values, t.datetime_complete) for t in before
    ]
    assert all(t.state.is_finished() for t in after)
    assert resume_sweep(files.run, trials=1, options=Options(trainable=QuadraticTrainable)).states.keys() == {
        t.state.name for t in trials(files)
    }
    assert len(trials(files)) == 6
    assert len(pd.read_csv(files.run / "results.csv")) == 6


def test_a_finished_sweep_goes_on_in_a_wider_space(files: SweepFiles) -> None:
    narrow = {"lr0": {"low": 1e-4, "high": 1.0, "log": True}, "momentum": {"low": 0.1, "high": 0.5, "default": 0.3}}
    (files.folder / "space.yaml").write_text(yaml.safe_dump({"parameters": narrow}))
    (files.folder / "hyp.yaml").write_text("momentum: 0.5\n")
    changes = {"train": {"epochs": 2, "model": "yolov5n"}, "scheduler": {"type": "none"}, "hyp": "hyp.yaml"}
    first = run(files, trials=3, sampler={"members": ["curve_gp"]}, **changes)
    assert [edge.name for edge in first.edges] == ["momentum"]  # the best lies at 0.8
    wider = files.folder / "wider.yaml"
    wider.write_text(yaml.safe_dump({"parameters": narrow | {"momentum": {"low": 0.1, "high": 0.98}}}))
    text = io.StringIO()
    options = Options(trainable=QuadraticTrainable, console=Console(file=text, width=150))
    result = resume_sweep(files.run, 5, options, space=wider)
    assert "wider: momentum: 0.1 to 0.5 -> 0.1 to 0.98" in text.getvalue()
    assert result.states == {"COMPLETE": 8}
    assert result.best is not None
    assert result.best.trial.params["momentum"] > 0.5
    assert sweep_status(files.run).finished


def test_a_folder_that_holds_a_sweep_is_refused_and_left_alone(files: SweepFiles) -> None:
    run(files, trials=1, train={"epochs": 1})
    before = listing(files.run)
    with pytest.raises(InputError, match=r"this sweep already, finished.*hypsweep resume .* --trials N"):
        run(files, trials=1, train={"epochs": 1})
    with pytest.raises(InputError, match="holds another sweep"):
        run(files, trials=2, train={"epochs": 1})
    (files.run / "sweep.yaml").rename(files.folder / "kept.yaml")
    with pytest.raises(InputError, match="no new folder"):
        run(files, trials=1, train={"epochs": 1})
    (files.folder / "kept.yaml").rename(files.run / "sweep.yaml")
    assert listing(files.run) == before


def test_wrong_input_leaves_nothing_behind(files: SweepFiles) -> None:
    with pytest.raises(InputError, match="resources: a trial takes 99 CPUs"):
        run(files, resources={"cpus": 99})
    assert not files.run.exists()
    files.run.mkdir()
    (files.run / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="study_storage"):
        run(files, study_storage="foo://bar")
    assert [path.name for path in files.run.iterdir()] == ["notes.txt"]
    (files.folder / "hyp.yaml").write_text("lr0: 5.0\n")
    with pytest.raises(InputError, match="lr0 starts at"):
        run(files, hyp="hyp.yaml")
    assert [path.name for path in files.run.iterdir()] == ["notes.txt"]


def test_a_misspelt_metric_ends_the_sweep_with_the_metrics_there_are(files: SweepFiles) -> None:
    with pytest.raises(InputError, match=r"`fitnes`.*fitness"):
        run(files, metric="fitnes", study_storage=f"sqlite:///{files.folder}/study.db")
    assert not files.run.exists()
    assert run(files, trials=1, study_storage=f"sqlite:///{files.folder}/study.db").states


def test_the_study_may_lie_in_a_database(files: SweepFiles) -> None:
    result = run(files, trials=2, train={"epochs": 2}, study_storage=f"sqlite:///{files.folder}/study.db")
    assert sum(result.states.values()) == 2
    assert not (files.run / "study.journal").exists()


def test_checkpoints_go_to_the_storage_path_under_a_name_of_their_own(files: SweepFiles) -> None:
    run(files, trials=1, train={"epochs": 2}, storage_path="store")
    shutil.move(files.run, files.folder / "first")
    run(files, trials=1, train={"epochs": 2}, storage_path="store")
    roots = sorted((files.folder / "store").iterdir())
    assert len(roots) == 2
    assert all((root / "session_000" / "trial_00000").is_dir() for root in roots)
    assert all(len(list(root.glob("**/checkpoint.json"))) == 1 for root in roots)  # the newest of the best


def test_a_disk_that_is_full_is_named_with_the_way_on(files: SweepFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("search.driver.build_tuner", full)
        with pytest.raises(WorkFailedError, match=f"No space left on device.*hypsweep resume {files.run}"):
            run(files, trials=1)
    assert resume_sweep(files.run, options=Options(trainable=QuadraticTrainable)).states == {"COMPLETE": 1}


def test_a_grid_ends_the_sweep_when_all_its_points_were_tried(files: SweepFiles) -> None:
    said = io.StringIO()
    config = files.config(trials=20, sampler={"members": {"grid": {"points": 2}}})
    options = Options(trainable=QuadraticTrainable, console=Console(file=said, width=150))
    result = run_sweep(config, files.run, options)
    assert not result.interrupted
    assert sum(result.states.values()) == 5
    assert "every point of the grid was tried: the sweep ends with 5 trials, not 20" in said.getvalue()
    status = sweep_status(files.run)
    assert (status.planned, status.finished) == (5, True)
    assert [(row["sampler"], row["trials"]) for row in status.yield_rows()] == [("default", 1), ("grid", 4)]


def test_who_comes_second_leaves_the_folder_of_the_first_alone(files: SweepFiles) -> None:
    with driver(files.run):  # it has just begun: there is no sweep.yaml yet
        before = listing(files.run)
        with pytest.raises(InputError, match="is in use"):
            run(files, trials=1, train={"epochs": 1})
        assert listing(files.run) == before


def test_more_trials_are_kept_where_the_budget_is_spent(files: SweepFiles) -> None:
    result = run(files, trials=2, train={"epochs": 1}, scheduler={"type": "none"}, budget={"epochs": 1})
    assert result.ended is not None
    assert resume_sweep(files.run, trials=5).ended is not None
    with driver(files.run) as me:
        kept = Sweep(load_sweep_config(files.run / "sweep.yaml"), files.run).open(me, new=False)
        assert kept.study.user_attrs[TARGET] == 7
