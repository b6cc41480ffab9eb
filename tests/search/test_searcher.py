from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from data_prep.errors import InputError
from search.crashes import DISK, Crash
from search.keys import FAILURE, FAILURE_KIND
from search.outcome import judge, metrics_of
from search.searcher import StudySearcher
from search.study import SweepStudy
from tests.search.conftest import SweepFiles, open_tiny


def step(epoch: int, fitness: float, **more: Any) -> dict[str, Any]:
    """A result as Ray hands it on: flat, with keys of its own."""
    ray = {"time_this_iter_s": 2.0, "training_iteration": epoch, "pid": 1, "done": False, "config/train/epochs": 9}
    return {"epoch": epoch, "fitness": fitness, "map50": 0.5, "per_class/cow/map50": 0.1, **ray, **more}


def build(
    files: SweepFiles, *, new: bool = True, checkpoint: str | None = None, **changes: Any
) -> tuple[StudySearcher, SweepStudy]:
    study, plan = open_tiny(files, new=new, **changes)
    return StudySearcher(
        study, plan, lambda number: checkpoint, lambda trial_id: Crash(f"crashed: {trial_id}", DISK)
    ), study


@pytest.mark.parametrize(
    ("result", "state", "value", "reason"),
    [
        (step(9, 0.5), TrialState.COMPLETE, 0.5, None),
        (step(10, 0.5), TrialState.COMPLETE, 0.5, None),
        (step(3, 0.5), TrialState.PRUNED, 0.5, None),
        (step(3, 0.5, done=True), TrialState.PRUNED, 0.5, None),
        (step(9, math.nan), TrialState.FAIL, None, "fitness is no finite number at epoch 9"),
        (step(2, -math.inf), TrialState.FAIL, None, "fitness is no finite number at epoch 2"),
        (step(2, math.nan, failure="diverged at epoch 2"), TrialState.FAIL, None, "diverged at epoch 2"),
        (step(9, 0.9, failure="diverged at epoch 9"), TrialState.FAIL, None, "diverged at epoch 9"),
        (None, TrialState.FAIL, None, "ended before its first epoch"),
        ({}, TrialState.FAIL, None, "ended before its first epoch"),
    ],
)
def test_a_trial_is_told_what_it_was(
    result: dict[str, Any] | None, state: TrialState, value: float | None, reason: str | None
) -> None:
    outcome = judge(result, ["fitness"], 9)
    assert outcome.state == state
    assert outcome.reason == reason
    if state != TrialState.FAIL:
        assert outcome.values == (value,)


def test_the_trainable_gets_hyps_over_the_base_and_settings_over_the_sweeps(files: SweepFiles) -> None:
    (files.folder / "hyp.yaml").write_text("lr0: 0.02\nbox: 0.07\n")
    searcher, study = build(files, hyp="hyp.yaml")
    searcher.suggest("a")
    config = searcher.suggest("b")
    assert config is not None
    assert config["trial_number"] == 1
    assert config["hyp"]["lr0"] == study.trial(1).params["lr0"] != 0.02
    assert config["hyp"]["box"] == 0.07
    assert config["train"]["epochs"] == 9
    assert config["train"]["data"] == str(files.data)
    assert config["checkpoint"] is None


def test_a_stopped_trial_is_pruned_with_the_value_of_the_stopping_step(files: SweepFiles) -> None:
    searcher, study = build(files)
    searcher.suggest("a")
    searcher.on_trial_result("a", step(1, 0.9))
    searcher.on_trial_complete("a", step(2, 0.3))  # Ray hands the stopping step to this hook alone
    trial = study.trial(0)
    assert trial.state == TrialState.PRUNED
    assert trial.value == 0.3
    assert trial.intermediate_values == {1: 0.9, 2: 0.3}


def test_a_diverged_trial_fails_with_its_reason_and_no_score(files: SweepFiles) -> None:
    searcher, study = build(files)
    searcher.suggest("a")
    searcher.on_trial_result("a", step(1, 0.2))
    failure = {"failure": "diverged at epoch 2: loss is NaN", "failure_kind": "diverged"}
    searcher.on_trial_complete("a", step(2, math.nan, **failure, done=True))
    trial = study.trial(0)
    assert trial.state == TrialState.FAIL
    assert trial.value is None
    assert trial.intermediate_values == {1: 0.2}
    assert trial.user_attrs[FAILURE] == "diverged at epoch 2: loss is NaN"
    assert trial.user_attrs[FAILURE_KIND] == "diverged"


def test_a_crashed_trial_fails_with_rays_reason(files: SweepFiles) -> None:
    searcher, study = build(files)
    searcher.suggest("a")
    searcher.on_trial_result("a", step(1, 0.2))
    searcher.on_trial_complete("a", None, error=True)
    assert study.trial(0).state == TrialState.FAIL
    assert (study.trial(0).user_attrs[FAILURE], study.trial(0).user_attrs[FAILURE_KIND]) == ("crashed: a", "disk")


def test_the_number_of_trials_is_that_of_the_study(files: SweepFiles) -> None:
    searcher, study = build(files, trials=2)
    for trial_id in "ab":
        searcher.suggest(trial_id)
        searcher.on_trial_complete(trial_id, step(9, 0.5))
    assert searcher.suggest("c") == Searcher.FINISHED
    again, _ = build(files, new=False, trials=3)
    assert again.suggest("d")["trial_number"] == 2  # type: ignore[index]
    assert again.suggest("e") == Searcher.FINISHED
    assert study.started() == 3


def test_a_resume_hands_out_what_was_running_first_under_its_number(files: SweepFiles) -> None:
    searcher, study = build(files, trials=4)
    configs = [searcher.suggest(trial_id) for trial_id in "abc"]
    searcher.on_trial_complete("b", step(9, 0.5))
    searcher.on_trial_result("c", step(1, 0.4))
    resumed, _ = build(files, new=False, trials=4, checkpoint="/store/trial_00002/checkpoint_000000")
    first, second, third = (resumed.suggest(trial_id) for trial_id in "xyz")
    assert first == configs[0]  # had not finished an epoch: from the start
    assert second == {**configs[2], "checkpoint": "/store/trial_00002/checkpoint_000000"}  # type: ignore[dict-item]
    assert third["trial_number"] == 3  # type: ignore[index]
    assert resumed.suggest("w") == Searcher.FINISHED
    resumed.on_trial_result("y", step(1, 0.45))  # an epoch that was reported already
    resumed.on_trial_complete("y", step(9, 0.8))
    assert study.trial(2).state == TrialState.COMPLETE
    assert study.trial(2).intermediate_values == {1: 0.4, 9: 0.8}


def test_a_trial_that_only_had_to_be_told_is_told(files: SweepFiles) -> None:
    searcher, study = build(files, trials=1)
    searcher.suggest("a")
    study.report(0, 9, 0.7)  # the driver was killed between the report and the state
    resumed, _ = build(files, new=False, trials=1)
    assert resumed.suggest("b") == Searcher.FINISHED
    assert study.trial(0).state == TrialState.COMPLETE
    assert study.trial(0).value == 0.7


def test_concurrency_can_be_bounded(files: SweepFiles) -> None:
    searcher, study = build(files, max_concurrent=2)
    assert searcher.suggest("a")
    assert searcher.suggest("b")
    assert searcher.suggest("c") is None
    assert study.started() == 2
    searcher.on_trial_complete("a", None, error=True)
    assert searcher.suggest("c")


def test_what_is_saved_is_the_map_and_nothing_else(files: SweepFiles, tmp_path: Path) -> None:
    searcher, _ = build(files)
    searcher.suggest("a")
    searcher.suggest("b")
    path = tmp_path / "state.json"
    searcher.save(str(path))
    saved = {"study_name": "tiny", "numbers": {"a": 0, "b": 1}}
    assert json.loads(path.read_text()) == saved
    assert pickle.loads(pickle.dumps(searcher)).__getstate__() == saved
    assert b"journal" not in pickle.dumps(searcher)
    restored, study = build(files, new=False)
    restored.restore(str(path))
    restored.on_trial_result("b", step(1, 0.5))
    assert study.trial(1).intermediate_values == {1: 0.5}


def test_the_map_of_another_study_is_refused(files: SweepFiles, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"study_name": "other", "numbers": {}}')
    searcher, _ = build(files)
    with pytest.raises(InputError, match="`other`, not to `tiny`"):
        searcher.restore(str(path))


def test_a_study_that_cannot_be_told_is_an_error_and_not_a_line_in_a_log(
    files: SweepFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher, study = build(files)
    searcher.suggest("a")

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(study, "finish", full)
    with pytest.raises(OSError, match="no space"):
        searcher.on_trial_complete("a", step(9, 0.5))
    assert isinstance(searcher.error, OSError)


def test_a_paused_trial_that_is_given_up_is_pruned(files: SweepFiles) -> None:
    searcher, study = build(files)
    searcher.suggest("a")
    searcher.suggest("b")
    searcher.on_trial_result("a", step(1, 0.2))
    for trial_id in "ab":
        searcher.on_trial_complete(trial_id)  # as Ray closes a trial that is paused, or never began
    assert (study.trial(0).state, study.trial(0).value) == (TrialState.PRUNED, 0.2)
    assert study.trial(1).state == TrialState.FAIL


def test_metrics_are_what_the_trainable_reported(files: SweepFiles) -> None:
    result = step(3, 0.5, hostname="x", time_since_restore=3.0, lr=0.1, best=True, val_obj_loss=math.inf)
    assert metrics_of(result) == {"fitness": 0.5, "map50": 0.5, "per_class/cow/map50": 0.1, "lr": 0.1}


def test_a_grid_at_its_end_ends_the_sweep_and_waiting_trials_come_first(files: SweepFiles) -> None:
    searcher, study = build(files, sampler={"members": {"grid": {"points": 2}}}, trials=50)
    for number in range(6):  # the default, 2 x 2 points, and one that was enqueued
        if number == 5:
            assert study.exhausted()
            study.study.enqueue_trial({"lr0": 0.5, "momentum": 0.5})
        assert not study.exhausted()
        config = searcher.suggest(f"ray{number}")
        assert isinstance(config, dict)
        assert config["trial_number"] == number
    assert study.exhausted()
    assert searcher.suggest("ray6") == Searcher.FINISHED
    assert len({tuple(trial.params.values()) for trial in study.trials()}) == 6
