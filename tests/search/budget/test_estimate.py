"""What a dry run makes of what it measured."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from search.budget.display import estimate_table
from search.budget.dry_run import Estimate
from search.budget.expected import Expected
from search.budget.measure import Measured
from tests.search.command_line import Cli, assert_refused
from tests.search.conftest import SweepFiles


def shown(estimate: Estimate) -> str:
    text = io.StringIO()
    estimate_table(Console(file=text, width=150), estimate)
    return text.getvalue()


def an_estimate(files: SweepFiles, measured: dict[str, Any], waiting: float = 0.0, **changes: Any) -> Estimate:
    found = Measured(2, 36.0, 1.0, 10_000_000, 12.0, 3.0, **measured)
    return Estimate(
        files.config(**changes), 2, 1.0, found, Expected(100.0, 90.0, 110.0, 7200.0, 14000.0, waiting), {"model": "m"}
    )


def test_the_table_and_what_json_holds(files: SweepFiles) -> None:
    measured = {"gpu_memory_peak": 2**31, "gpu_memory_total": 2**34, "image_seconds": 90.0, "image_bytes": 5_000_000}
    budget = {"hours": 1, "gpu_hours": 1, "target": 0.9, "plateau": {"trials": 5}}
    found = an_estimate(files, measured, budget=budget, scheduler={"type": "none"}, keep_best_checkpoints=3)
    values = found.as_dict()
    assert values.keys() == {
        "name", "trials", "epochs_per_training", "slots", "expected", "measured", "searched", "budget"
    }  # fmt: skip
    assert values["expected"] == {
        "epochs": 100.0, "epochs_least": 90.0, "epochs_most": 110.0, "hours": 2.0, "gpu_hours": 1.0,
        "disk_bytes": 7 * 10_000_000 + 5_000_000, "checkpoints": 7, "gpu_memory_peak": 2**31,
    }  # fmt: skip
    assert [(each["name"], each["fits"]) for each in values["budget"]] == [
        ("hours", False), ("gpu_hours", True), ("target", None), ("plateau", None)
    ]  # fmt: skip
    text = shown(found)
    for words in (
        "100 (90 to 110)",
        "exceeds by 1:",
        "fits",
        "2.0 of 16.0 GiB",
        "75 MB",
        "ends it when reached",
    ):
        assert words in text
    assert "decoding the images took 0:01:30" in text
    assert "trial 0 alone (model m)" in text


@pytest.mark.parametrize(
    ("changes", "waiting", "checkpoints"),
    [
        ({}, 0.0, 2 * 2 + 1),
        ({"keep_best_checkpoints": None}, 0.0, 2 * 2 + 50),
        ({"max_paused_checkpoints": 5}, 15.2, 2 * 2 + 1 + 2 * 5),
        ({"max_paused_checkpoints": None}, 15.2, 2 * 2 + 1 + 16),
        ({"max_paused_checkpoints": None, "keep_best_checkpoints": None}, 99.0, 2 * 50),
    ],
)
def test_checkpoints_when_they_are_most(
    files: SweepFiles, changes: dict[str, Any], waiting: float, checkpoints: int
) -> None:
    assert an_estimate(files, {}, waiting, trials=50, **changes).checkpoints == checkpoints


def test_no_gpu_is_said_and_a_batch_that_memory_cut(files: SweepFiles) -> None:
    found = an_estimate(files, {"batch_size": 4})
    assert "no GPU here" in shown(found)
    assert "a batch of 4 instead of 16" in shown(found)


def test_json_goes_with_dry_run_alone(cli: Cli, files: SweepFiles) -> None:
    assert_refused(cli("sweep", files.write(), "--json"), "--json goes with --dry-run")


def test_a_wrong_budget_on_resume_is_named(cli: Cli, files: SweepFiles) -> None:
    files.run.mkdir()
    (files.run / "sweep.yaml").write_text(files.write().read_text().replace("space.yaml", "../space.yaml"))
    assert_refused(cli("resume", files.run, "--budget", "hours"), "--budget hours: write KEY=VALUE")
    assert_refused(cli("resume", files.run, "--budget", "hours=-1"), r"budget\.hours")
    assert_refused(cli("resume", files.run, "--budget", "days=1"), r"budget\.days")
