from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.trial import TrialState
from ray.train._internal.session import _TrainingResult
from ray.tune import Checkpoint
from ray.tune.experiment import Trial

from search.drivers import Driver, driver
from search.keeper import CheckpointKeeper
from search.opening import open_study
from search.retention import RetentionRule
from search.samplers import build_sampler
from search.samplers.keys import PAUSED_KEY
from search.space import load_space
from search.storage import stored_bytes
from search.study import SweepStudy
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_checkpoints import put
from tests.search.test_results import add

COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


def ended(study: SweepStudy, root: Path, state: TrialState | None, values: list[float]) -> int:
    """A trial of the study with two checkpoints on disk."""
    number = add(study, state, values)
    for epoch in (len(values) - 1, len(values)):
        put(root, "session_000", number, f"checkpoint_{epoch:06d}", epoch)
    return number


def ray_trial(number: int) -> Any:
    return SimpleNamespace(config={"trial_number": number}, status="TERMINATED")


def folders(root: Path) -> set[str]:
    return {f"{path.parent.name}/{path.name}" for path in root.glob("session_*/trial_*/checkpoint_*")}


def test_what_earlier_drivers_left_is_brought_into_line(files: SweepFiles, tmp_path: Path) -> None:
    study, _ = open_tiny(files)
    root = tmp_path / "root"
    for state, values in ((PRUNED, [0.1, 0.9]), (COMPLETE, [0.1, 0.2, 0.3]), (FAIL, [0.1, 0.2]), (None, [0.1, 0.2])):
        ended(study, root, state, values)
    CheckpointKeeper(str(root), study, RetentionRule("max", 1)).settle()
    running = {"trial_00003/checkpoint_000001", "trial_00003/checkpoint_000002"}
    assert folders(root) == running | {"trial_00001/checkpoint_000003"}


def test_a_better_trial_takes_the_place_of_what_was_kept(files: SweepFiles, tmp_path: Path) -> None:
    study, _ = open_tiny(files)
    root = tmp_path / "root"
    keeper = CheckpointKeeper(str(root), study, RetentionRule("max", 2))
    for values, expected in (
        ([0.2, 0.2], {0}),
        ([0.2, 0.4], {0, 1}),
        ([0.2, 0.1], {0, 1}),
        ([0.2, 0.3], {1, 3}),
        ([0.2, 0.2, 0.2], {1, 4}),
    ):
        number = ended(study, root, PRUNED, values)
        keeper.on_trial_complete(0, [], ray_trial(number))
        assert stored_bytes(str(root)).keys() == expected
    assert folders(root) == {"trial_00001/checkpoint_000002", "trial_00004/checkpoint_000003"}


def test_a_failed_trial_keeps_none_and_one_that_waits_for_a_resume_all(files: SweepFiles, tmp_path: Path) -> None:
    study, _ = open_tiny(files)
    root = tmp_path / "root"
    keeper = CheckpointKeeper(str(root), study, RetentionRule("max", 5))
    failed, waiting = ended(study, root, FAIL, [0.1, 0.2]), ended(study, root, None, [0.1, 0.2])
    keeper.on_trial_error(0, [], ray_trial(failed))
    keeper.on_trial_complete(0, [], ray_trial(waiting))
    assert folders(root) == {"trial_00001/checkpoint_000001", "trial_00001/checkpoint_000002"}


def paused_trial(root: Path, number: int, epoch: int) -> Trial:
    """A trial of Ray's that was resumed from an earlier driver's checkpoint, has written one of its own, and waits."""
    before = str(root / "session_000" / f"trial_{number:05d}" / "checkpoint_000000")
    trial = Trial("quick", config={"trial_number": number, "checkpoint": before}, stub=True)
    put(root, "session_000", number, "checkpoint_000000", 1)
    own = Checkpoint(put(root, "session_001", number, "checkpoint_000000", epoch))
    trial.run_metadata.checkpoint_manager.register_checkpoint(_TrainingResult(own, {}))
    trial.status = Trial.PAUSED
    return trial


def test_a_paused_trial_without_a_place_is_started_from_nothing(files: SweepFiles, tmp_path: Path) -> None:
    study, _ = open_tiny(files)
    root = tmp_path / "root"
    values = ([0.1, 0.2], [0.1, 0.4], [0.1, 0.3])
    waiting = [paused_trial(root, add(study, None, each), 2) for each in values]
    keeper = CheckpointKeeper(str(root), study, RetentionRule("max", 1, max_paused=1))
    for trial in waiting[:2]:
        keeper.on_trial_save(0, [], trial)
    keeper.on_step_end(0, waiting)
    assert stored_bytes(str(root)).keys() == {1, 2}
    waiting[1].status = Trial.RUNNING  # promoted: what it goes on from is no longer counted
    keeper.on_trial_save(1, [], waiting[2])
    keeper.on_step_end(1, waiting)
    assert stored_bytes(str(root)).keys() == {1, 2}
    assert [trial.checkpoint is None for trial in waiting] == [True, False, False]
    assert [trial.config["checkpoint"] is None for trial in waiting] == [True, False, False]


def test_what_earlier_drivers_paused_competes_with_what_is_paused_now(files: SweepFiles, tmp_path: Path) -> None:
    study, _ = open_tiny(files)
    root = tmp_path / "root"
    before = [ended(study, root, None, values) for values in ([0.1, 0.5], [0.1, 0.2], [0.1, 0.4])]
    for number in before:
        study.note(number, PAUSED_KEY, 2)
    at_work = ended(study, root, None, [0.1])
    keeper = CheckpointKeeper(str(root), study, RetentionRule("max", 1, max_paused=2))
    keeper.settle()
    assert stored_bytes(str(root)).keys() == {0, 2, at_work}
    study.note(0, PAUSED_KEY, None)  # promoted: what it goes on from is safe, and takes no other's place
    for value in (0.6, 0.3):
        keeper.on_trial_save(0, [], paused_trial(root, add(study, None, [0.1, value]), 2))
        keeper.on_step_end(0, [])
        assert stored_bytes(str(root)).keys() == {0, 2, at_work, 4}


def test_what_another_driver_has_paused_is_left_to_it(files: SweepFiles, tmp_path: Path) -> None:
    config, root = files.config(), tmp_path / "root"
    open_tiny(files)

    def opened(who: Driver) -> SweepStudy:
        space = load_space(config.space)
        sampler = build_sampler(config.sampler, space, config.seed)
        return open_study(config, files.run, space, sampler, new=False, driver=who)

    with driver(files.run) as first, driver(files.run, join=True) as second:
        one, two = opened(first), opened(second)
        for study, value in ((one, 0.2), (two, 0.9), (two, 0.8)):
            study.note(ended(study, root, None, [0.1, value]), PAUSED_KEY, 2)
        CheckpointKeeper(str(root), two, RetentionRule("max", 1, max_paused=1)).settle()
        assert stored_bytes(str(root)).keys() == {0, 1}


def test_a_checkpoint_that_others_took_away_is_forgotten_before_ray_looks_for_it(
    files: SweepFiles, tmp_path: Path
) -> None:
    study, _ = open_tiny(files)
    there, gone = (paused_trial(tmp_path / "root", add(study, None, [0.1, 0.2]), 2) for _ in range(2))
    shutil.rmtree(tmp_path / "root" / "session_001" / "trial_00001")
    keeper = CheckpointKeeper(str(tmp_path / "root"), study, RetentionRule())
    for trial in (there, gone):
        keeper.on_trial_start(0, [], trial)
    assert there.checkpoint is not None
    assert gone.checkpoint is None


def test_storage_that_refuses_ends_no_sweep(
    files: SweepFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study, _ = open_tiny(files)
    add(study, PRUNED, [0.1])
    blocked = tmp_path / "blocked"
    blocked.write_text("no folder")
    keeper = CheckpointKeeper(str(blocked), study, RetentionRule("max", 0))
    keeper.settle()
    keeper.on_trial_complete(0, [], ray_trial(0))
    assert "could not be listed" in caplog.text
    assert "checkpoints of trial 0 could not be deleted" in caplog.text


def test_ray_can_pickle_it(files: SweepFiles, tmp_path: Path) -> None:
    study, _ = open_tiny(files)
    assert pickle.loads(pickle.dumps(CheckpointKeeper(str(tmp_path), study, RetentionRule())))
