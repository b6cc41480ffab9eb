"""Comparisons under a real Ray, with a trainable that is quick and noisy."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from data_prep.errors import InputError, StoppedError, WorkFailedError
from search.compare.result import ComparisonResult
from search.compare.run import compare
from search.compare.standing import Standing
from search.drivers import driver
from search.options import Options
from tests.search.command_line import Trip
from tests.search.compare.comparisons import EPOCHS, comparison
from tests.search.confirm.noisy_trainable import NoisyTrainable
from tests.search.conftest import SweepFiles

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.usefixtures("local_ray")]


def run(files: SweepFiles, text: io.StringIO | None = None, **changes: Any) -> ComparisonResult:
    console = None if text is None else Console(file=text, width=200)
    return compare(comparison(files, **changes), files.run, Options(trainable=NoisyTrainable, console=console))


def checkpoints(files: SweepFiles) -> set[int]:
    """Numbers of the trainings that keep a checkpoint."""
    return {int(p.parent.name[6:]) for p in (files.run / "ray").rglob("checkpoint_*") if p.is_dir()}


@pytest.fixture(scope="module")
def clear(tmp_path_factory: pytest.TempPathFactory, local_ray: None) -> tuple[SweepFiles, ComparisonResult]:
    files = SweepFiles(tmp_path_factory.mktemp("clear"))
    arms = {"poor": {"momentum": 0.3}, "good": {"momentum": 0.8}, "large": {"model": "yolov5s"}}
    return files, run(files, arms=arms, max_megabytes=10)


def test_a_clear_difference_is_called_after_few_seeds(clear: tuple[SweepFiles, ComparisonResult]) -> None:
    files, found = clear
    poor, good, large = found.rows
    assert (poor.arm, poor.standing, poor.seeds) == ("poor", None, 3)
    assert (good.standing, good.seeds) == (Standing.BETTER, 3)
    assert good.lower is not None
    assert good.upper is not None
    assert 0 < good.lower < 0.25 < good.upper
    assert found.next_command is None
    assert len(files.epochs()) == 3 * 2 * EPOCHS
    assert (large.seeds, large.mean) == (0, None)
    assert large.megabytes > 10 > good.megabytes


def test_what_it_leaves(clear: tuple[SweepFiles, ComparisonResult]) -> None:
    files, found = clear
    table = pd.read_csv(files.run / "results.csv")
    assert list(table.arm) == ["poor", "good"] * 3
    assert list(table.seed) == [41, 41, 42, 42, 43, 43]
    assert found.rows[1].mean == pytest.approx(table[table.arm == "good"].value.mean())
    stored = json.loads((files.run / "comparison.json").read_text())
    assert stored["result"] == found.as_dict()
    assert "| good | 3.7 | 3 |" in (files.run / "table.md").read_text()
    assert "large was not trained: " in (files.run / "table.md").read_text()
    assert checkpoints(files) == {0, 1}  # those with the first seed


def test_one_that_is_decided_trains_nothing_more(clear: tuple[SweepFiles, ComparisonResult]) -> None:
    files, found = clear
    before = files.epochs()
    arms = {"poor": {"momentum": 0.3}, "good": {"momentum": 0.8}, "large": {"model": "yolov5s"}}
    assert run(files, arms=arms, max_megabytes=10) == found
    assert files.epochs() == before


def test_another_comparison_is_refused_and_changes_nothing(clear: tuple[SweepFiles, ComparisonResult]) -> None:
    files, _ = clear
    before = (files.run / "comparison.yaml").read_text()
    with pytest.raises(InputError, match=r"holds a comparison with other arms, max_megabytes: set them back"):
        run(files)
    assert (files.run / "comparison.yaml").read_text() == before


def test_arms_may_have_epochs_of_their_own(files: SweepFiles) -> None:
    text = io.StringIO()
    arms = {"short": {"momentum": 0.8}, "long": {"momentum": 0.8, "epochs": EPOCHS + 2}}
    found = run(files, text, arms=arms, seeds=2, max_seeds=2)
    table = pd.read_csv(files.run / "results.csv")
    assert set(table[table.arm == "short"].epochs) == {EPOCHS}
    assert set(table[table.arm == "long"].epochs) == {EPOCHS + 2}
    assert f"epoch {EPOCHS + 2}/{EPOCHS + 2}" in text.getvalue()
    assert (found.rows[1].mean or 0) > (found.rows[0].mean or 1)


@pytest.mark.exhaustive
def test_equal_arms_are_undecided_and_more_seeds_go_on(files: SweepFiles) -> None:
    arms = {"one": {"momentum": 0.8}, "other": {"momentum": 0.8001}}
    found = run(files, arms=arms, max_seeds=3)
    assert found.rows[1].standing in (Standing.UNDECIDED, Standing.SAME)
    before = files.epochs()
    again = run(files, arms=arms, max_seeds=4)
    assert again.rows[1].seeds >= found.rows[1].seeds
    assert not set(files.epochs()[len(before) :]) & set(before)


def test_each_arm_is_tuned_by_a_sweep_of_its_own_from_its_own_values(files: SweepFiles) -> None:
    text = io.StringIO()
    arms = {"low": {"optimizer": "SGD", "momentum": 0.3}, "high": {"optimizer": "AdamW", "momentum": 0.9}}
    tune = {"space": "space.yaml", "trials": 3, "set": {"train.epochs": 2}}
    found = run(files, text, arms=arms, tune=tune)
    for name, row in zip(arms, found.rows, strict=True):
        table = pd.read_csv(files.run / "tune" / name / "results.csv")
        assert table.params_momentum[0] == arms[name]["momentum"]
        best = table.loc[table.value.idxmax()]
        assert row.sets["momentum"] == pytest.approx(best.params_momentum)
        assert row.sets["optimizer"] == arms[name]["optimizer"]
        assert f"{name}: tuned to " in text.getvalue()
    before = files.epochs()
    run(files, arms=arms, tune=tune)
    assert files.epochs() == before


@pytest.mark.exhaustive
def test_ctrl_c_winds_down_and_the_folder_goes_on(files: SweepFiles) -> None:
    with pytest.raises(StoppedError, match=f"the comparison was stopped; go on with `hypsweep compare {files.run}`"):
        run(files, Trip())
    before = files.epochs()
    assert len(before) < 3 * 2 * EPOCHS
    assert [row.seeds for row in run(files).rows] == [3, 3]
    again = {(number, epoch) for number, epoch, _ in files.epochs()[len(before) :]}
    twice = again & {(number, epoch) for number, epoch, _ in before}
    assert all(epoch > 1 for _, epoch in twice)  # at most the epochs whose checkpoint was not whole yet


@pytest.mark.exhaustive
def test_an_arm_that_diverges_is_lost_and_named(files: SweepFiles) -> None:
    files.switch("diverge_1")
    found = run(files)
    assert found.rows[1].standing == Standing.LOST
    assert found.failures == ("good was lost with seed 41: diverged at epoch 2: the loss is NaN",)
    assert found.next_command is None


@pytest.mark.exhaustive
def test_a_training_that_crashes_for_good_ends_it(files: SweepFiles) -> None:
    files.switch("crash_0", "always")
    with pytest.raises(WorkFailedError, match=r"poor, seed 41: crashed: .*on fire; go on with `hypsweep compare"):
        run(files)


def test_a_folder_in_use_is_refused(files: SweepFiles) -> None:
    with driver(files.run), pytest.raises(InputError, match="is in use"):
        run(files)
    assert not (files.run / "comparison.json").exists()
