from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState, create_trial

from search.conclusion import SweepResult
from search.display import final_epochs, promotion_summary, say, status_table, sweep_summary
from search.edges import Edge
from search.promote import Promotion
from search.results import BestTrial, SmallerBatch
from search.status import sweep_status
from search.storage import Usage
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.screen import Screen
from tests.search.test_checkpoints import put
from tests.search.test_results import add, finish_run


def test_lines_are_neither_wrapped_nor_read_as_markup() -> None:
    screen, line = Screen(20), "/a/rather/long/path/[bold]/of/a/[/]/file.yaml 0.123"
    say(screen.console, line)
    assert screen.text == line + "\n"


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_sweeps_end_says_what_to_do_next(tmp_path: Path, interrupted: bool) -> None:
    screen = Screen(20)
    trial = create_trial(state=TrialState.COMPLETE, value=0.5)
    trial.number = 3
    result = SweepResult(tmp_path, interrupted, {"PRUNED": 4, "COMPLETE": 1}, BestTrial(trial, 0.123456789, 9))
    sweep_summary(screen.console, result)
    lines = screen.text.splitlines()
    assert lines[:2] == ["1 COMPLETE, 4 PRUNED", "best: trial 3, 0.12346 after 9 epochs (fast path)"]
    assert f"hyp:         {tmp_path / 'best_hyp.yaml'}" in lines
    goes_on = f"stopped before its end; go on with: hypsweep resume {tmp_path}"
    assert lines[-1] == (goes_on if interrupted else f"finish it:   hypsweep promote {tmp_path}")


def test_a_sweeps_end_tells_what_is_stored_and_whose_batch_was_cut(tmp_path: Path) -> None:
    screen = Screen(20)
    trial = create_trial(state=TrialState.COMPLETE, value=0.5)
    trial.number = 3
    result = SweepResult(
        tmp_path,
        False,
        {"COMPLETE": 1},
        BestTrial(trial, 0.5, 9),
        path="exact",
        smaller_batches=(SmallerBatch(7, 8, 16),),
        usage=Usage(22_400_000, 1),
    )
    sweep_summary(screen.console, result)
    lines = screen.text.splitlines()
    assert "best: trial 3, 0.5 after 9 epochs (exact path)" in lines
    assert "checkpoints: 22.4 MB of 1 trial" in lines
    assert "trial 7 ended with batch 8 instead of 16 (GPU memory)" in lines


def test_an_edge_is_told_with_the_command_that_widens(tmp_path: Path) -> None:
    screen = Screen(20)
    edges = (Edge("lr0", 0.1, 0.1, "high"), Edge("lrf", 0.01, 0.01, "low"))
    sweep_summary(screen.console, SweepResult(tmp_path, False, {"COMPLETE": 1}, None, edges=edges))
    lines = screen.text.splitlines()
    assert [line for line in lines if line in map(str, edges)] == [str(edge) for edge in edges]
    (way_on,) = [line for line in lines if "--widen" in line]
    assert way_on.startswith(f"with that in a copy of {tmp_path / 'space.yaml'} ")
    assert way_on.endswith(f"hypsweep resume {tmp_path} --trials N --widen SPACE")


def test_a_sweep_without_an_epoch_points_to_no_files(tmp_path: Path) -> None:
    screen = Screen()
    sweep_summary(screen.console, SweepResult(tmp_path, False, {}, None))
    assert screen.text == "no trial yet\n"


def test_a_final_training_shows_its_losses() -> None:
    screen = Screen()
    losses = {"train_box_loss": 0.1, "train_obj_loss": 0.2, "train_cls_loss": 0.3}
    final_epochs(screen.console)({"epoch": 2, "epochs": 9, "epoch_seconds": 10.25, **losses})
    assert screen.text == "epoch 2/9: losses box 0.1000, obj 0.2000, cls 0.3000, ETA 0:01:12\n"


def test_a_promotion_without_a_test_split_claims_no_figures(tmp_path: Path) -> None:
    screen = Screen(200)
    missing = {"thresholds": None, "thresholds_missing": "nothing was confirmed", "onnx": None}
    metrics = {"epochs": 9, "test": None, "megabytes": 3.71, **missing}
    promotion_summary(screen.console, Promotion(tmp_path, 3, metrics))
    assert screen.text.splitlines()[0] == "promoted trial 3: 9 epochs on the full data set"
    assert "figures: none" in screen.text
    assert "thresholds: none, nothing was confirmed\n" in screen.text
    assert "weights.onnx" not in screen.text
    assert f"card:    {tmp_path / 'model_card.md'}\n" in screen.text
    assert f"weights: {tmp_path / 'weights.pt'} (3.7 MB)\n" in screen.text
    figures = dict.fromkeys(("map50", "map75", "map50_95", "precision", "recall"), 0.25)
    found = {"onnx": {"check": {"boxes": 0.00123, "confidences": 4e-6}}}
    chosen = {"thresholds_missing": None, "thresholds": {"chosen": {"confidence": 0.05, "iou": 0.68}}}
    promotion_summary(screen.console, Promotion(tmp_path, 3, metrics | {"test": figures} | found | chosen))
    assert "on the test split: map50 0.2500, map75 0.2500, map50_95 0.2500" in screen.text
    assert "thresholds: confidence 0.05, NMS IoU 0.68, thresholds.yaml\n" in screen.text
    assert "weights.onnx, off PyTorch by at most 0.0012 px and 4e-06 in confidence\n" in screen.text


@pytest.mark.parametrize("width", [56, 80])
def test_the_status_fits_a_narrow_terminal_and_failures_are_told_in_full(files: SweepFiles, width: int) -> None:
    study, _ = open_tiny(files, train={"epochs": 300})
    add(study, None, [0.0123456789])
    reason = "diverged in epoch 2: losses box nan, obj nan, cls nan (lr0 1e+06); lower lr0 or the loss gains."
    add(study, TrialState.FAIL, [], reason=reason)
    finish_run(files, study, train={"epochs": 300})
    screen = Screen(width)
    status_table(screen.console, sweep_status(files.run))
    lines = screen.text.splitlines()
    table = lines[: next(i for i, line in enumerate(lines) if line.startswith("trial "))]
    assert all(len(line) <= width for line in table)
    assert "…" not in screen.text
    assert any(line.split() == ["0", "default", "RUNNING", "1/300", "0.012346", "0.012346"] for line in table)
    assert f"trial 1 failed: {reason}" in lines
    assert lines[-1].endswith(f"go on with: hypsweep resume {files.run}")


def test_the_status_tells_memory_batches_repeated_epochs_and_bytes(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    measured = {"batch_size": 8, "gpu_memory_total": 24 * 2**30}
    spent = {"epochs_run": 3, "gpu_memory_peak": 10 * 2**30}
    number = add(study, TrialState.PRUNED, [0.1, 0.2], spent=spent, measured=measured)
    finish_run(files, study)
    put(files.run / "ray", "session_000", number, "checkpoint_000001", None)
    screen = Screen(80)
    status_table(screen.console, sweep_status(files.run))
    lines = screen.text.splitlines()
    assert "trial 0 ended with batch 8 instead of 16 (GPU memory)" in lines
    assert "trial 0 peaks at 10.0 of 24.0 GiB GPU memory: 2 trials fit on such a GPU (resources.gpus: 0.5)" in lines
    assert "1 PRUNED; 6 planned; 3 epochs run, 1 of them again" in lines
    assert "checkpoints: 0.0 kB of 1 trial" in lines
    assert "best: trial 0, 0.2 after 2/9 epochs (fast path)" in lines
