"""Sweeps under a real Ray in which disks are full, workers are killed, data sets vanish and checkpoints are lost."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from typing import Any

import pandas as pd
import pytest
import yaml
from optuna.trial import FrozenTrial, TrialState
from ray.tune.experiment import Trial
from rich.console import Console

from data_prep.errors import DataMissingError, InputError
from search.keys import LAST
from search.progress import Progress
from search.results import read_run
from search.status import sweep_status
from search.sweep import Options, SweepResult, resume_sweep, run_sweep
from tests.search.command_line import Cli
from tests.search.conftest import SweepFiles
from tests.search.pausing_scheduler import PausingScheduler
from tests.search.quadratic_trainable import QuadraticTrainable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.usefixtures("local_ray")]
PLAIN = {"train": {"epochs": 4, "model": "yolov5n"}, "scheduler": {"type": "none"}}


def run(files: SweepFiles, console: Console | None = None, **changes: Any) -> SweepResult:
    options = Options(trainable=QuadraticTrainable, console=console)
    return run_sweep(files.config(**{**PLAIN, **changes}), files.run, options)


def trials(files: SweepFiles) -> list[FrozenTrial]:
    return read_run(files.run)[1].get_trials()


def stored(files: SweepFiles) -> dict[int, list[int]]:
    """Epochs of the checkpoints on disk, by trial."""
    found: dict[int, list[int]] = {}
    for path in sorted((files.run / "ray").glob("session_*/trial_*/checkpoint_*/checkpoint.json")):
        state = json.loads(path.read_text())
        found.setdefault(state["number"], []).append(state["epoch"])
    return found


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, local_ray: None) -> tuple[SweepFiles, SweepResult]:
    """A sweep in which a worker's disk and the storage are full, and a worker is killed."""
    files = SweepFiles(tmp_path_factory.mktemp("faulty"))
    files.switch("disk_full_1")
    files.switch("storage_full_2")
    files.switch("kill_3", "1")
    files.switch("batch_4", "4")
    return files, run(files, trials=6, max_failures=1, keep_best_checkpoints=2)


def test_a_full_disk_fails_the_trial_by_name_and_the_sweep_goes_on(faulty: tuple[SweepFiles, SweepResult]) -> None:
    files, result = faulty
    assert result.states == {"COMPLETE": 4, "FAIL": 2}
    worker, storage = trials(files)[1], trials(files)[2]
    for trial in (worker, storage):
        assert trial.state == TrialState.FAIL
        assert trial.user_attrs["failure_kind"] == "disk"
        assert "No space left on device" in trial.user_attrs["failure"]
        assert "free some disk" in trial.user_attrs["failure"]
        assert sorted(trial.intermediate_values) == [1, 2]
    assert str(files.run / "ray") in storage.user_attrs["failure"]
    assert "trial_00002" in storage.user_attrs["failure"]
    assert Counter(epoch for number, epoch, _ in files.epochs() if number == 2) == {1: 1, 2: 2}  # tried once more
    assert trials(files)[2].user_attrs[LAST]["epochs_run"] == 3


def test_a_killed_worker_goes_on_from_its_checkpoint(faulty: tuple[SweepFiles, SweepResult]) -> None:
    files, _ = faulty
    assert trials(files)[3].state == TrialState.COMPLETE
    assert Counter(files.epochs_of(3)) == {1: 1, 2: 2, 3: 1, 4: 1}
    assert len({pid for number, _, pid in files.epochs() if number == 3}) == 2


def test_the_checkpoints_of_the_best_ended_trials_are_all_that_is_left(faulty: tuple[SweepFiles, SweepResult]) -> None:
    files, result = faulty
    complete = [t for t in trials(files) if t.state == TrialState.COMPLETE]
    best = sorted(complete, key=lambda t: (-(t.value or 0.0), t.number))[:2]
    assert stored(files) == {t.number: [4] for t in best}
    assert result.best is not None
    assert result.best.trial.number in stored(files)
    bytes_on_disk = sum(path.stat().st_size for path in (files.run / "ray").glob("*/*/checkpoint_*/*"))
    assert result.usage == (bytes_on_disk, 2)


def test_kinds_batches_and_counts_stand_in_the_results(faulty: tuple[SweepFiles, SweepResult]) -> None:
    files, result = faulty
    for table in (pd.read_csv(files.run / "results.csv"), pd.read_parquet(files.run / "results.parquet")):
        kinds = table.set_index("number").failure_kind.dropna().to_dict()
        assert kinds == {1: "disk", 2: "disk"}
        assert table.batch_size.dropna().to_dict() == {4: 4}
    assert table.best_epoch.dtype.kind != "f"
    assert ",4,4," in (files.run / "results.csv").read_text()  # whole numbers stay whole
    assert [str(each) for each in result.smaller_batches] == ["trial 4 ended with batch 4 instead of 16 (GPU memory)"]
    status = sweep_status(files.run)
    assert status.usage == result.usage
    assert status.epochs_run - status.epochs_repeated == sum(t.user_attrs[LAST]["epoch"] for t in trials(files))
    assert status.epochs_repeated == 2  # epoch 2 of the trials whose disk was full


def test_a_data_set_that_vanishes_stops_the_sweep_and_a_resume_finishes_it(files: SweepFiles, cli: Cli) -> None:
    files.switch("gone_1")
    with pytest.raises(DataMissingError, match=rf"images is gone: put.*hypsweep resume {files.run}"):
        run(files, trials=6)
    before = trials(files)
    assert {t.state for t in before} <= {TrialState.COMPLETE, TrialState.RUNNING}
    assert before[1].state == TrialState.RUNNING
    assert before[1].user_attrs[LAST]["epoch"] == 1
    assert len(before) < 6
    assert 1 in stored(files)
    assert (files.run / "results.csv").exists()
    shown = cli("status", files.run)
    assert f"go on with: hypsweep resume {files.run}" in shown.out.replace("\n", " ")

    (files.folder / "gone_1").unlink()
    result = resume_sweep(files.run, options=Options(trainable=QuadraticTrainable))
    assert result.states == {"COMPLETE": 6}
    assert Counter(files.epochs_of(1)) == {1: 1, 2: 2, 3: 1, 4: 1}  # from its first on


def test_paused_trials_keep_so_many_checkpoints_and_the_others_start_again(
    files: SweepFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four are paused, the best two keep their checkpoints, and one of these is lost by other hands."""
    at_release: dict[int, list[int]] = {}
    stolen: list[int] = []

    def release(paused: list[Trial]) -> None:
        at_release.update(stored(files))
        stolen.append(max(at_release))
        for folder in (files.run / "ray").glob(f"session_*/trial_{stolen[0]:05d}/checkpoint_*"):
            shutil.rmtree(folder)

    scheduler = PausingScheduler(rung=3, trials=4, on_release=release)
    monkeypatch.setattr("search.driver.build_scheduler", lambda *args, **kwargs: scheduler)
    text = io.StringIO()
    result = run(files, Console(file=text, width=200), trials=4, max_paused_checkpoints=2, max_failures=0)

    assert result.states == {"COMPLETE": 4}
    found = trials(files)
    by_value = sorted(found, key=lambda t: (-t.intermediate_values[3], t.number))
    assert set(at_release) == {t.number for t in by_value[:2]}
    assert all(3 in epochs for epochs in at_release.values())
    (kept,) = set(at_release) - set(stolen)
    for trial in found:
        trained = Counter(files.epochs_of(trial.number))
        again = 1 if trial.number == kept else 2
        assert trained == {1: again, 2: again, 3: again, 4: 1}
        assert trial.user_attrs[LAST]["epochs_run"] == sum(trained.values())
        assert trial.user_attrs[LAST]["epoch"] == 4
        assert sorted(trial.intermediate_values) == [1, 2, 3, 4]
        said = "goes on from its checkpoint" if trial.number == kept else "starts again from its first epoch"
        assert f"trial {trial.number} {said}" in text.getvalue()
    assert sweep_status(files.run).epochs_repeated == 9
    assert list(stored(files)) == [by_value[0].number]


def test_an_edit_of_the_original_files_does_not_reach_a_sweep_that_runs(files: SweepFiles) -> None:
    hyp = files.folder / "hyp.yaml"
    hyp.write_text("weight_decay: 0.001\n")

    def edit(progress: Progress) -> None:
        hyp.write_text("weight_dekay: 0.9\n")
        (files.folder / "space.yaml").unlink(missing_ok=True)

    config = files.config(**PLAIN, trials=2, hyp="hyp.yaml")
    result = run_sweep(config, files.run, Options(trainable=QuadraticTrainable, on_progress=edit))
    assert result.states == {"COMPLETE": 2}
    assert hyp.read_text() == "weight_dekay: 0.9\n"
    assert yaml.safe_load((files.run / "best_hyp.yaml").read_text())["weight_decay"] == 0.001


def test_what_was_trained_outlasts_an_input_that_proves_wrong_late(files: SweepFiles) -> None:
    def spoil(progress: Progress) -> None:
        if sum(files.epochs_of(number) == [1, 2, 3, 4] for number in range(2)) == 2:
            (files.run / "hyp.yaml").write_text("weight_dekay: 0.9\n")

    (files.folder / "hyp.yaml").write_text("weight_decay: 0.001\n")
    config = files.config(**PLAIN, trials=2, hyp="hyp.yaml")
    with pytest.raises(InputError, match="weight_dekay"):
        run_sweep(config, files.run, Options(trainable=QuadraticTrainable, on_progress=spoil))
    assert [trial.state for trial in trials(files)] == [TrialState.COMPLETE] * 2
    shutil.copy(files.folder / "hyp.yaml", files.run)
    assert resume_sweep(files.run).states == {"COMPLETE": 2}
    assert (files.run / "best_hyp.yaml").is_file()
