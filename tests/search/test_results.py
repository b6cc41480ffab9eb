from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from optuna.trial import TrialState

from data_prep.errors import InputError, WorkFailedError
from search.config import load_sweep_config
from search.config_files import kept_files
from search.keys import BEST, LAST
from search.results import (
    beside_default,
    best_trial,
    export_best,
    read_run,
    results_table,
    smaller_batches,
    write_results,
)
from search.space import load_space
from search.study import SweepStudy
from tests.search.conftest import SweepFiles, open_tiny
from trainable.hyp import Hyp, read_hyp


def add(
    study: SweepStudy,
    state: TrialState | None,
    values: list[float],
    *,
    spent: dict[str, Any] | None = None,
    measured: dict[str, Any] | None = None,
    **more: Any,
) -> int:
    """A trial with one value per epoch, which all spent and measured the same; no state leaves it running."""
    number = study.draw().number
    for epoch, value in enumerate(values, start=1):
        study.report(number, epoch, value)
        metrics = {"fitness": value, "map50": value / 2, "per_class/cow/map50": 0.1, **(measured or {})}
        study.note(number, LAST, {"epoch": epoch, "seconds": 2.0 * epoch, **(spent or {}), "metrics": metrics})
    if values:
        study.note(number, BEST, {"epoch": values.index(max(values)) + 1, "metrics": {"fitness": max(values)}})
    if state is not None:
        study.finish(number, state, values[-1] if state == TrialState.COMPLETE else None, **more)
    return number


def finish_run(files: SweepFiles, study: SweepStudy, **changes: Any) -> None:
    config = files.config(**changes)
    for name, text in kept_files(config).items():
        (files.run / name).write_text(text)
    write_results(study.study, load_sweep_config(files.run / "sweep.yaml"), load_space(config.space), files.run)


def test_only_complete_trials_compete(files: SweepFiles) -> None:
    study, _ = open_tiny(files, train={"epochs": 2})
    add(study, TrialState.PRUNED, [0.9])
    expected = add(study, TrialState.COMPLETE, [0.2, 0.4])
    add(study, TrialState.COMPLETE, [0.6, 0.3])
    best = best_trial(study.study)
    assert best is not None
    assert (best.trial.number, best.value, best.epoch) == (expected, 0.4, 2)


def test_where_none_is_complete_the_best_of_those_trained_longest_stands_in(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    add(study, TrialState.PRUNED, [0.9])
    expected = add(study, None, [0.1, 0.2])
    add(study, TrialState.PRUNED, [0.3, 0.1])
    add(study, TrialState.FAIL, [0.9, 0.9, 0.9])
    best = best_trial(study.study)
    assert best is not None
    assert best.trial.number == expected


@pytest.mark.parametrize(("rival", "expected"), [([0.1, 0.31], 2), ([0.1, 0.3], 0), ([0.9], 0)])
def test_where_trial_0_alone_is_complete_the_others_are_compared_at_their_epoch(
    files: SweepFiles, rival: list[float], expected: int
) -> None:
    study, _ = open_tiny(files, train={"epochs": 3})
    add(study, TrialState.COMPLETE, [0.2, 0.3, 0.8])
    add(study, TrialState.PRUNED, [0.5] if len(rival) == 1 else [0.5, 0.2])
    add(study, None, rival)
    best = best_trial(study.study)
    assert best is not None
    assert best.trial.number == expected
    assert best.default_value == {1: 0.2, 2: 0.3, 3: 0.8}[best.epoch]
    add(study, TrialState.COMPLETE, [0.1, 0.1, 0.1])
    best = best_trial(study.study)
    assert best is not None
    assert best.trial.number == 0  # as soon as there is another full training, full trainings alone compete


def test_the_least_wins_where_less_is_better_and_the_default_wins_a_tie(files: SweepFiles) -> None:
    study, _ = open_tiny(files, mode="min")
    add(study, TrialState.COMPLETE, [0.2])
    add(study, TrialState.COMPLETE, [0.2])
    add(study, TrialState.COMPLETE, [0.5])
    best = best_trial(study.study)
    assert best is not None
    assert best.trial.number == 0


def test_no_trial_no_best(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    add(study, None, [])
    assert best_trial(study.study) is None


def test_the_table_has_one_row_per_trial(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    add(study, TrialState.COMPLETE, [0.9, 0.4])
    add(study, TrialState.FAIL, [], reason="diverged at epoch 1")
    table = results_table(study.study)
    first, second = table.to_dict("records")
    assert first["number"] == 0
    assert (first["state"], first["sampler"]) == ("COMPLETE", "default")
    assert (first["value"], first["epochs"], first["best_value"], first["best_epoch"]) == (0.4, 2, 0.9, 1)
    assert (first["seconds"], first["params_lr0"], first["metrics_map50"]) == (4.0, 0.01, 0.2)
    assert (second["state"], second["epochs"], second["failure"]) == ("FAIL", 0, "diverged at epoch 1")
    assert pd.isna(second["value"])


def test_whole_numbers_stay_whole_where_a_trial_has_none(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    spent = {"epochs_run": 5, "gpu_memory_peak": 2**40 + 1}
    measured = {"batch_size": 8, "gpu_memory_peak": 2**40, "gpu_memory_total": 2**41}
    add(study, TrialState.COMPLETE, [0.9, 0.4], spent=spent, measured=measured)
    add(study, TrialState.FAIL, [], reason="cows.jpg is broken", kind="image")
    finish_run(files, study)
    text = (files.run / "results.csv").read_text().splitlines()
    names = text[0].split(",")
    first, second = (dict(zip(names, line.split(","), strict=True)) for line in text[1:])
    columns = ("best_epoch", "epochs_run", "batch_size", "gpu_memory_peak", "gpu_memory_total")
    assert [first[name] for name in columns] == ["1", "5", "8", str(2**40 + 1), str(2**41)]
    assert [second[name] for name in columns] == [""] * 5
    assert (first["failure_kind"], second["failure_kind"]) == ("", "image")
    assert not {"metrics_batch_size", "metrics_gpu_memory_peak", "metrics_gpu_memory_total"} & set(names)
    parquet = pd.read_parquet(files.run / "results.parquet")
    assert parquet["gpu_memory_peak"].dropna().tolist() == [2**40 + 1]


def test_a_study_of_before_counts_its_epochs_once(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    add(study, TrialState.COMPLETE, [0.9, 0.4])
    assert "epochs_run" not in study.trial(0).user_attrs[LAST]
    assert results_table(study.study).epochs_run.tolist() == [2]


def test_a_batch_that_memory_did_not_allow_is_told_from_one_that_was_asked_for(files: SweepFiles) -> None:
    space = yaml.safe_load((files.folder / "space.yaml").read_text())
    space["parameters"]["batch_size"] = {"choices": [4, 16], "default": 16}
    (files.folder / "space.yaml").write_text(yaml.safe_dump(space))
    study, _ = open_tiny(files, seed=2)
    while len({t.params["batch_size"] for t in study.trials(TrialState.COMPLETE)}) < 2:
        add(study, TrialState.COMPLETE, [0.5], measured={"batch_size": 4})
    add(study, TrialState.COMPLETE, [0.5])  # a trainable that does not say
    found = smaller_batches(study.study, files.config(seed=2))
    halved = [t.number for t in study.trials()[:-1] if t.params["batch_size"] == 16]
    assert [tuple(each) for each in found] == [(number, 4, 16) for number in halved]
    assert halved


def test_an_empty_study_is_an_empty_table(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    assert len(results_table(study.study)) == 0  # the default hyp waits; it is no trial yet
    finish_run(files, study)
    assert pd.read_csv(files.run / "results.csv").empty
    assert not (files.run / "best_hyp.yaml").exists()


def test_csv_and_parquet_hold_the_same(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    add(study, TrialState.COMPLETE, [0.9, 0.4])
    add(study, TrialState.PRUNED, [0.1])
    finish_run(files, study)
    csv, parquet = pd.read_csv(files.run / "results.csv"), pd.read_parquet(files.run / "results.parquet")
    assert list(csv.columns) == list(parquet.columns)
    assert csv["value"].tolist() == parquet["value"].tolist() == [0.4, 0.1]


def test_choices_of_several_kinds_fit_into_parquet(files: SweepFiles) -> None:
    choices = {"label_smoothing": {"choices": [0.0, "0.1"], "default": 0.0}}
    space = yaml.safe_load((files.folder / "space.yaml").read_text())
    space["parameters"] |= choices
    (files.folder / "space.yaml").write_text(yaml.safe_dump(space))
    study, _ = open_tiny(files, seed=1)
    for _ in range(8):
        add(study, TrialState.PRUNED, [0.1])
    finish_run(files, study, seed=1)
    column = pd.read_parquet(files.run / "results.parquet")["params_label_smoothing"]
    assert set(column) == {"0.0", "0.1"}


def test_the_best_hyp_is_a_whole_yolov5_hyp_that_says_where_it_is_from(files: SweepFiles) -> None:
    (files.folder / "hyp.yaml").write_text("box: 0.07\n")
    study, _ = open_tiny(files, hyp="hyp.yaml", seed=5)
    add(study, TrialState.COMPLETE, [0.1])
    number = add(study, TrialState.COMPLETE, [0.9])
    finish_run(files, study, hyp="hyp.yaml", seed=5)
    text = (files.run / "best_hyp.yaml").read_text()
    hyp = read_hyp(files.run / "best_hyp.yaml")
    assert hyp.box == 0.07
    assert hyp.lr0 == study.trial(number).params["lr0"]
    assert yaml.safe_load(text).keys() >= Hyp().as_dict().keys()
    for words in (
        "sweep tiny",
        f"trial {number}",
        "fitness 0.9",
        "map50 0.45",
        "seed: sweep 5",
        "date: 20",
        "training path: fast",
    ):
        assert words in text.split("lr0:")[0]


def test_best_train_says_what_stands_beside_the_hyp(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    add(study, TrialState.COMPLETE, [0.9])
    finish_run(files, study)
    train = yaml.safe_load((files.run / "best_train.yaml").read_text())
    assert (train["model"], train["epochs"], train["optimizer"], train["path"]) == ("yolov5n", 9, "SGD", "fast")
    assert train.keys() >= {"lr_schedule", "image_size", "batch_size", "weights"}


def test_a_best_that_is_not_complete_is_said_to_be_so(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    add(study, None, [0.9])
    finish_run(files, study)
    assert "# No trial has reached its last epoch yet" in (files.run / "best_hyp.yaml").read_text()


def test_export_writes_where_it_is_told(files: SweepFiles, tmp_path: Path) -> None:
    study, _ = open_tiny(files)
    add(study, TrialState.COMPLETE, [0.9])
    finish_run(files, study)
    target = tmp_path / "deep" / "hyp.yaml"
    assert export_best(files.run, target) == target
    assert read_hyp(target) == read_hyp(files.run / "best_hyp.yaml")
    with pytest.raises(InputError, match="cannot be written"):
        export_best(files.run, target / "under_a_file.yaml")


def test_export_works_while_the_data_set_is_away(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    add(study, TrialState.COMPLETE, [0.9])
    finish_run(files, study)
    files.data.unlink()
    assert read_hyp(export_best(files.run)).lr0 == 0.01


def test_nothing_to_export_is_said(files: SweepFiles, tmp_path: Path) -> None:
    study, _ = open_tiny(files)
    finish_run(files, study)
    with pytest.raises(WorkFailedError, match="hypsweep resume"):
        export_best(files.run)
    with pytest.raises(InputError, match=r"sweep\.yaml"):
        read_run(tmp_path / "nowhere")


def test_the_best_stands_beside_the_default(files: SweepFiles) -> None:
    study, _ = open_tiny(files, train={"epochs": 2})
    add(study, TrialState.COMPLETE, [0.1, 0.3])
    assert beside_default(best_trial(study.study)) == "it is the hyp that the sweep started from"
    add(study, TrialState.COMPLETE, [0.2, 0.4])
    best = best_trial(study.study)
    assert best is not None
    assert best.default_value == 0.3
    assert "0.3" in beside_default(best)
