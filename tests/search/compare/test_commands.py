"""`hypsweep compare` and what it prints; the trainings are filled in, so no Ray is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from search.compare.config import load_comparison
from search.compare.kept import keep
from search.compare.opening import new_ledger, open_comparison
from tests.search.command_line import Cli, assert_refused, only_json, snapshot
from tests.search.compare.comparisons import write
from tests.search.compare.test_ledger import train
from tests.search.conftest import SweepFiles

TUNE: dict[str, Any] = {"space": "space.yaml", "trials": 2}
GOALS = [{"metric": "map50", "mode": "max"}, {"metric": "gflops", "mode": "min"}]
pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("without_ray")]


def compared(files: SweepFiles, means: dict[int, float | None], noise: float = 1e-4, **changes: Any) -> Path:
    """The folder of a comparison whose trainings reached these values."""
    work = open_comparison(load_comparison(write(files, **changes)), files.run)
    keep(work.config, work.base, work.run_dir)
    train(new_ledger(work, work.arms), means, noise)
    return files.run


def test_the_folder_alone_shows_it_again(files: SweepFiles, cli: Cli) -> None:
    found = cli("compare", compared(files, {0: 0.2, 1: 0.3}))
    assert found.code == 0
    lines = found.out.splitlines()
    row = next(line.split() for line in lines if line.split()[:1] == ["good"])
    assert (row[1:3], row[-1]) == (["3.7", "3"], "better")
    assert float(row[3]) == pytest.approx(0.3, abs=1e-3)
    assert "good: momentum 0.8" in lines
    assert "good is better than poor" in lines
    assert lines[-1] == f"written: {files.run}/table.md"


def test_the_yaml_and_out_do_so_too(files: SweepFiles, cli: Cli) -> None:
    compared(files, {0: 0.2, 1: 0.3})
    assert "good is better than poor" in cli("compare", files.folder / "comparison.yaml", "--out", files.run).out


def test_what_is_undecided_is_said_with_the_next_command(files: SweepFiles, cli: Cli) -> None:
    found = cli("compare", compared(files, {0: 0.2, 1: 0.2}, noise=0.1))
    assert (found.code, found.err) == (0, "")
    assert "good cannot be told from poor\n" in found.out
    assert f"add seeds: hypsweep compare {files.run} --max-seeds 12\n" in found.out


def test_json_is_one_object(files: SweepFiles, cli: Cli) -> None:
    values = only_json(cli("compare", compared(files, {0: 0.3, 1: 0.2}), "--json").out)
    assert [row["arm"] for row in values["rows"]] == ["poor", "good"]
    assert [row["standing"] for row in values["rows"]] == [None, "worse"]
    assert values["next_command"] is None


@pytest.mark.parametrize("mean", [0.2, None])
def test_the_table_fits_a_terminal_of_80_columns(files: SweepFiles, cli: Cli, mean: float | None) -> None:
    arms = {"yolov5m6-scratch": {"momentum": 0.3}, "b": {"momentum": 0.8}, "s": {"model": "yolov5s"}}
    found = cli("compare", compared(files, {0: 0.2, 1: mean}, noise=0.01, arms=arms, max_megabytes=10))
    assert "…" not in found.out
    assert max(len(line) for line in found.out.splitlines() if "hypsweep" not in line and "table.md" not in line) <= 80


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"sweep": "none.yaml"}, r"none\.yaml"),
        ({"tune": {**TUNE, "space": "none.yaml"}}, r"none\.yaml"),
        ({"tune": {**TUNE, "set": {"train.epoch": 3}}}, r"tune of arm poor: .*train\.epoch is no"),
        ({"set": {"objectives": GOALS}}, "objectives: a comparison is by one metric"),
        ({"set": {"train.epoch": 3}}, "epoch"),
        ({"arms": {"a": {}, "b": {"weights": "gone.pt"}}}, r"arms\.b: train\.weights: there is no file .*gone\.pt"),
        ({"arms": {"a": {}, "b": {"optimizer": "Lion"}}}, r"arms\.b: train\.optimizer is 'Lion'"),
        ({"max_megabytes": 1}, r"max_megabytes is 1 and poor 3\.7 MB, good 3\.7 MB is more"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_made(
    files: SweepFiles, cli: Cli, changes: dict[str, Any], pattern: str
) -> None:
    path = write(files, **changes)
    before = snapshot(files.folder)
    assert_refused(cli("compare", path, "--out", files.run), pattern)
    assert snapshot(files.folder) == before


def test_two_comparisons_of_one_name_have_checkpoints_of_their_own(files: SweepFiles) -> None:
    roots = set()
    for out, best in (("one", 0.8), ("two", 0.8), ("one", 0.7)):
        path = write(files, arms={"a": {"momentum": 0.3}, "b": {"momentum": best}})
        files.write(train={"epochs": 3, "model": "yolov5n", "seed": 40}, storage_path="shared")
        work = open_comparison(load_comparison(path), files.folder / out)
        roots.add(work.root(new_ledger(work, work.arms).plan))
    assert len(roots) == 3
    assert all(root.startswith(str(files.folder / "shared" / "pair-")) for root in roots)


def test_a_yaml_that_changed_meanwhile_is_refused_and_the_folder_goes_on(files: SweepFiles, cli: Cli) -> None:
    compared(files, {0: 0.2, 1: 0.3})
    files.write(train={"epochs": 5, "model": "yolov5n", "seed": 40}, trials=4)
    yaml_file, before = files.folder / "comparison.yaml", snapshot(files.run)
    assert_refused(cli("compare", yaml_file, "--out", files.run), "holds a comparison with other epochs: set them back")
    assert snapshot(files.run) == before
    assert "good is better than poor" in cli("compare", files.run).out


def test_a_folder_needs_none_of_the_files_that_it_was_begun_with(files: SweepFiles, cli: Cli) -> None:
    compared(files, {0: 0.2, 1: 0.3}, tune={"space": "space.yaml", "trials": 2})
    for name in ("comparison.yaml", "sweep.yaml", "space.yaml"):
        (files.folder / name).unlink()
    found = cli("compare", files.run)
    assert (found.code, "good is better than poor" in found.out) == (0, True)


def test_the_order_of_arms_and_machine_settings_make_no_other_comparison(files: SweepFiles, cli: Cli) -> None:
    arms = {"poor": {"momentum": 0.3}, "good": {"momentum": 0.8}, "odd": {"momentum": 0.5}}
    compared(files, {0: 0.2, 1: 0.3, 2: 0.1}, arms=arms)
    turned = {name: arms[name] for name in ("poor", "odd", "good")}
    path = write(files, arms=turned, set={"max_concurrent": 1})
    found = cli("compare", path, "--out", files.run)
    assert (found.code, "good is better than poor" in found.out) == (0, True)


def test_weights_that_were_overwritten_are_refused(files: SweepFiles, cli: Cli) -> None:
    weights = files.folder / "w.pt"
    weights.write_bytes(b"one")
    compared(files, {0: 0.2, 1: 0.3}, arms={"a": {"momentum": 0.3}, "b": {"weights": str(weights)}})
    weights.write_bytes(b"other")
    assert_refused(cli("compare", files.run), r"has trainings with other weights: put them back")


def test_trials_that_tune_cannot_change_once_arms_are_trained(files: SweepFiles, cli: Cli) -> None:
    compared(files, {0: 0.2, 1: 0.3}, tune={"space": "space.yaml", "trials": 2})
    path = write(files, tune={"space": "space.yaml", "trials": 8})
    assert_refused(cli("compare", path, "--out", files.run), r"other tune\.trials \(the arms are tuned")


def test_a_lost_reference_asks_for_no_more_seeds(files: SweepFiles, cli: Cli) -> None:
    found = cli("compare", compared(files, {0: None, 1: 0.3}))
    assert "good is not compared: take another reference than poor" in found.out
    assert "--max-seeds" not in found.out


@pytest.mark.parametrize(
    ("parameters", "arms", "pattern"),
    [
        (
            {"optimizer": {"choices": ["SGD", "AdamW"]}},
            {"a": {"optimizer": "SGD"}, "b": {"optimizer": "AdamW"}},
            "tune of arm a: the space has optimizer, which the arm sets",
        ),
        ({"fliplr": {"value": 0.5}}, {"a": {}, "b": {"fliplr": 0.0}}, "tune of arm b: the space has fliplr"),
        (
            {"pretrained": {"choices": [True, False]}},
            {"a": {"pretrained": False}, "b": {"lr0": 0.1}},
            "tune of arm a: the space has weights, which the arm sets",
        ),
        ({"model": {"choices": ["yolov5n", "yolov5s"]}}, {"a": {}, "b": {"lr0": 0.1}}, "make each one an arm"),
        (
            {"lr0": {"low": 0.01, "high": 0.1}},
            {"a": {"lr0": 0.02}, "b": {"lr0": 0.5}},
            r"tune of arm b: lr0 starts at 0\.5, outside",
        ),
    ],
)
def test_what_is_tuned_must_leave_the_arms_what_they_are(
    files: SweepFiles, cli: Cli, parameters: Any, arms: Any, pattern: str
) -> None:
    (files.folder / "tune.yaml").write_text(yaml.safe_dump({"parameters": parameters}))
    path = write(files, arms=arms, tune={"space": "tune.yaml", "trials": 2})
    before = snapshot(files.folder)
    assert_refused(cli("compare", path, "--out", files.run), pattern)
    assert snapshot(files.folder) == before


def test_a_folder_of_a_sweep_is_refused(files: SweepFiles, cli: Cli) -> None:
    path = write(files)
    files.run.mkdir()
    (files.run / "sweep.yaml").write_text("x")
    assert_refused(cli("compare", path, "--out", files.run), "holds a sweep: choose another folder with --out")


def test_a_target_that_is_a_file_is_refused(files: SweepFiles, cli: Cli) -> None:
    path = write(files)
    (files.folder / "file").write_text("x")
    for out in ("file", "file/below"):
        assert_refused(cli("compare", path, "--out", files.folder / out), r"/file is no folder: choose another place")


def test_a_folder_that_holds_nothing_is_named(files: SweepFiles, cli: Cli) -> None:
    files.run.mkdir()
    assert_refused(cli("compare", files.run), r"run/comparison\.yaml")
