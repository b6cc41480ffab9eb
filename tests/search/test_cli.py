"""The command line: what it prints, where, and with which exit code; above all on wrong input."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from optuna.trial import TrialState

import search.status
import search.sweep
from data_prep.errors import InputError
from search.conclusion import SweepResult
from search.config import SweepConfig
from search.options import Options
from search.sweep import run_sweep
from tests.search.command_line import Cli, Outcome, assert_refused, only_json, snapshot
from tests.search.conftest import ROOT, SweepFiles, open_tiny
from tests.search.quadratic_trainable import QuadraticTrainable
from tests.search.test_results import add, finish_run
from trainable.hyp import Hyp, read_hyp

pytestmark = pytest.mark.timeout(60)
COMMANDS = (
    "demo",
    "check",
    "prepare",
    "eda",
    "compare-splits",
    "sweep",
    "resume",
    "status",
    "export",
    "import",
    "confirm",
    "promote",
    "score",
    "onnx",
)


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts Ray fails: wrong input is to be found before."""

    def refuse(address: str | None) -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr("search.runtime.ray_runtime", refuse)


@pytest.fixture
def no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lets Ray Tune run trials fails: wrong input is to be found before."""

    def refuse(*arguments: object) -> None:
        raise AssertionError("trials were run")

    monkeypatch.setattr("search.sweep.drive", refuse)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, local_ray: None) -> SweepFiles:
    """A finished sweep of four trials, one of which diverged."""
    files = SweepFiles(tmp_path_factory.mktemp("finished"))
    for split in ("train", "val"):
        (files.folder / split).mkdir(exist_ok=True)
    files.switch("diverge_2")
    config = files.config(trials=4, train={"epochs": 3, "model": "yolov5n"}, scheduler={"type": "none"})
    run_sweep(config, files.run, Options(trainable=QuadraticTrainable))
    return files


# --- usage ---------------------------------------------------------------------------------------------------------


def test_help_names_every_command_and_every_command_explains_itself(cli: Cli) -> None:
    overview = cli("--help")
    assert overview.code == 0
    assert overview.err == ""
    for command in COMMANDS:
        assert re.search(rf"^\W*{command} ", overview.out, re.MULTILINE)
        shown = cli(command, "-h")
        assert shown.code == 0
        assert f"hypsweep {command}" in shown.out


def test_help_explains_arguments(cli: Cli) -> None:
    assert "Folder of a sweep" in cli("status", "--help").out


def test_without_a_command_there_is_help(cli: Cli) -> None:
    found = cli()
    assert found.code == 2
    assert "Usage: hypsweep" in found.out + found.err


def test_version(cli: Cli) -> None:
    assert re.fullmatch(r"hypsweep \d+\.\d+\.\d+\n", cli("--version").out)


@pytest.mark.parametrize(
    ("arguments", "patterns"),
    [
        (["nonsense"], ["no such command 'nonsense'", "hypsweep --help"]),
        (["--nonsense"], ["no such option '--nonsense'"]),
        (["sweep"], ["missing argument 'CONFIG'", "hypsweep sweep --help"]),
        (["resume", "run", "--trials", "many"], ["'--trials': 'many' is not a valid integer", "resume --help"]),
        (["promote", "run", "--epochs", "0"], ["'--epochs': 0 is not in the range"]),
        (["status", "one", "two"], ["unexpected extra argument"]),
    ],
)
def test_wrong_usage_is_one_sentence(cli: Cli, arguments: list[str], patterns: list[str]) -> None:
    assert_refused(cli(*arguments), *patterns)


def test_debug_shows_the_traceback_wherever_it_stands(cli: Cli, tmp_path: Path) -> None:
    for arguments in (["--debug", "status", "nowhere"], ["status", "nowhere", "--debug"]):
        found = cli(*arguments)
        assert found.code == 2
        assert found.err.startswith("Traceback")
        assert found.err.splitlines()[-1].startswith(f"error: {tmp_path / 'nowhere'} holds no sweep.yaml")
    assert_refused(cli("status", "nowhere"))


def test_what_nobody_foresaw_is_one_sentence_too(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(run: Path) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(search.status, "sweep_status", fail)
    assert_refused(cli("status", "run"), "ZeroDivisionError: oh", "hypsweep --debug", code=1)


def test_the_installed_command_speaks_through_its_exit_code(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("hypsweep")
    found = subprocess.run(
        [script, "status", tmp_path / "nowhere"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert_refused(Outcome(found.returncode, found.stdout, found.stderr), "nowhere holds no sweep.yaml")


def test_config_errors_do_not_wait_for_ray_and_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from search.cli import main\n"
        "try: main(['sweep', 'nowhere.yaml'])\n"
        "except SystemExit: print(*sorted({'ray', 'torch'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env={"PYTHONPATH": ROOT}
    )
    assert found.stdout == "\n"


# --- commands on a sweep's folder ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_status_as_json_is_one_object(cli: Cli, finished: SweepFiles) -> None:
    found = cli("status", finished.run, "--json")
    assert (found.code, found.err) == (0, "")
    status = only_json(found.out)
    assert (status["name"], status["metric"], status["epochs"], status["planned"]) == ("tiny", "fitness", 3, 4)
    assert status["states"] == {"COMPLETE": 3, "FAIL": 1}
    trials = {trial["number"]: trial for trial in status["trials"]}
    assert trials.keys() == {0, 1, 2, 3}
    assert trials[2]["failure"] == "diverged at epoch 2: the loss is NaN"
    best = status["best"]
    assert best["value"] == max(t["value"] for t in trials.values() if t["state"] == "COMPLETE")
    assert trials[best["number"]]["value"] == best["value"]
    assert trials[0]["params_momentum"] == Hyp().momentum


@pytest.mark.slow
def test_status_shows_the_trials_and_why_one_failed(cli: Cli, finished: SweepFiles) -> None:
    found = cli("status", finished.run)
    assert found.code == 0
    assert len(re.findall(r"^ *\d+ +\w+ +(?:COMPLETE|FAIL) +\d/3 ", found.out, re.MULTILINE)) == 4
    assert "trial 2 failed: diverged at epoch 2: the loss is NaN\n" in found.out
    assert "3 COMPLETE, 1 FAIL; 4 planned; 10 epochs run\n" in found.out
    assert "hypsweep resume" not in found.out


@pytest.mark.slow
def test_export_writes_a_hyp_and_says_where(cli: Cli, finished: SweepFiles, tmp_path: Path) -> None:
    assert cli("export", finished.run).out == f"{finished.run / 'best_hyp.yaml'}\n"
    found = cli("export", finished.run, "-o", "deep/hyp.yaml", "--json")
    assert only_json(found.out) == {"hyp": str(tmp_path / "deep" / "hyp.yaml")}
    best = only_json(cli("status", finished.run, "--json").out)
    expected = next(t for t in best["trials"] if t["number"] == best["best"]["number"])
    assert read_hyp(tmp_path / "deep" / "hyp.yaml").momentum == expected["params_momentum"]


@pytest.mark.slow
def test_resume_of_a_finished_sweep_has_nothing_to_do(cli: Cli, finished: SweepFiles, without_ray: None) -> None:
    found = cli("resume", finished.run)
    assert found.code == 0
    assert "3 COMPLETE, 1 FAIL\n" in found.out
    assert f"finish it:   hypsweep promote {finished.run}\n" in found.out


@pytest.mark.slow
def test_resume_with_no_trials_is_refused(cli: Cli, finished: SweepFiles, without_ray: None) -> None:
    before = snapshot(finished.folder)
    assert_refused(cli("resume", finished.run, "--trials", "0"), "--trials 0", "at least 1")
    assert_refused(cli("resume", finished.run, "--trials", "-3"), "--trials -3")
    assert snapshot(finished.folder) == before


@pytest.mark.slow
def test_promotion_to_weights_that_are_too_large_is_refused_before_time_is_spent(
    cli: Cli, finished: SweepFiles, without_ray: None
) -> None:
    before = snapshot(finished.folder)
    assert_refused(cli("promote", finished.run, "--max-megabytes", "1"), "yolov5n", r"3\.7 MB", "--max-megabytes")
    assert snapshot(finished.folder) == before


@pytest.mark.slow
def test_a_folder_that_holds_another_sweep_is_refused(cli: Cli, finished: SweepFiles, without_ray: None) -> None:
    config = finished.folder / "sweep.yaml"
    before = snapshot(finished.folder)
    found = cli("sweep", config, "--out", finished.run, "--set", "seed=7")
    assert_refused(found, f"{finished.run} holds another sweep", "choose another folder")
    found = cli("sweep", config, "--out", finished.run)
    assert_refused(found, "holds this sweep already", f"hypsweep resume {finished.run} --trials N")
    assert snapshot(finished.folder) == before


@pytest.mark.parametrize("command", ["resume", "status", "export", "confirm", "promote"])
def test_a_folder_that_holds_no_sweep_is_named(cli: Cli, tmp_path: Path, without_ray: None, command: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no folder")
    for run in ("empty", "nowhere", "file"):
        before = snapshot(tmp_path)
        assert_refused(cli(command, run), f"{tmp_path / run} holds no sweep.yaml", "give the folder of a sweep")
        assert snapshot(tmp_path) == before


@pytest.mark.parametrize("command", ["export", "confirm", "promote"])
def test_a_sweep_without_a_finished_epoch_has_nothing_to_give(
    cli: Cli, files: SweepFiles, without_ray: None, command: str
) -> None:
    study, _ = open_tiny(files)
    add(study, TrialState.FAIL, [], reason="crashed")
    finish_run(files, study)
    before = snapshot(files.folder)
    assert_refused(cli(command, files.run), "no trial has finished an epoch", f"hypsweep resume {files.run}", code=1)
    assert snapshot(files.folder) == before


def test_a_sweep_that_was_cut_off_is_said_to_go_on_with_resume(cli: Cli, files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    add(study, None, [0.5])
    finish_run(files, study)
    found = cli("status", files.run)
    assert "1 RUNNING; 6 planned; 1 epoch run\n" in found.out
    assert f"go on with: hypsweep resume {files.run}\n" in found.out
    assert only_json(cli("status", files.run, "--json").out)["states"] == {"RUNNING": 1}


# --- sweep: wrong input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "patterns"),
    [
        ("nonsense", ["--set nonsense", r"dotted\.key=value"]),
        ("=3", ["--set =3", r"dotted\.key=value"]),
        ("nonsense=1", [r"sweep\.yaml", "unknown key `nonsense`"]),
        ("trails=3", ["unknown key `trails`", "did you mean `trials`"]),
        ("trials=0", [r"sweep\.yaml", r"`trials` \(=0\)", "greater than or equal to 1"]),
        ("trials.more=1", ["--set trials.more=1", "`trials` holds a value"]),
        ("train.epochs=many", [r"`epochs` \(='many'\)", "valid integer"]),
        ("train.nonsense=1", ["train.nonsense is no training setting", "image_size"]),
        ("train.model=yolov99", ["yolov99", "yolov5n"]),
        ("sampler.members=[magic]", [r"no sampler 'magic'", "tpe"]),
        ("scheduler.grace_period=99", ["grace_period is 99", "train.epochs", "make it smaller"]),
        ("data=nowhere/data.yaml", ["data: there is no file", "nowhere/data.yaml", "correct the path"]),
        ("space=nowhere.yaml", ["space: there is no file", r"nowhere\.yaml"]),
        ("hyp=nowhere.yaml", ["hyp: there is no file", r"nowhere\.yaml"]),
        ("train.weights=nowhere.pt", [r"train\.weights: there is no file", r"nowhere\.pt"]),
        ("name=[", [r"--set name=\[", "no YAML"]),
    ],
)
def test_a_wrong_key_or_value_is_named(
    cli: Cli, files: SweepFiles, without_ray: None, override: str, patterns: list[str]
) -> None:
    config = files.write()
    before = snapshot(files.folder)
    assert_refused(cli("sweep", config, "--out", files.run, "--set", override), *patterns)
    assert snapshot(files.folder) == before


@pytest.mark.parametrize(
    ("parameters", "patterns"),
    [
        ({"lr0": {"low": 0.1, "high": 0.01}}, ["lr0", r"0\.1", r"0\.01"]),
        ({"lr0": {"low": 0.01, "high": 0.1, "hihg": 1}}, [r"parameters\.lr0\.hihg", "did you mean `high`"]),
        ({"lr00": {"low": 0.01, "high": 0.1}}, ["lr00", "did you mean lr0"]),
        ({"lr0": {"low": 0.0, "high": 0.1, "log": True}}, ["lr0", "log"]),
        ({"momentum": {"low": 0.1, "high": 0.2}}, ["momentum", r"0\.937"]),
        ({}, ["parameters"]),
    ],
)
def test_a_wrong_space_is_named(
    cli: Cli, files: SweepFiles, without_ray: None, parameters: dict[str, Any], patterns: list[str]
) -> None:
    (files.folder / "space.yaml").write_text(yaml.safe_dump({"parameters": parameters}))
    config = files.write()
    before = snapshot(files.folder)
    assert_refused(cli("sweep", config, "--out", files.run), *patterns)
    assert snapshot(files.folder) == before


@pytest.mark.parametrize("text", ["trials: [", "just words", "- a\n- b\n", "\xff"])
def test_a_config_that_is_no_mapping_is_named(cli: Cli, tmp_path: Path, without_ray: None, text: str) -> None:
    (tmp_path / "sweep.yaml").write_bytes(text.encode("latin-1"))
    before = snapshot(tmp_path)
    assert_refused(cli("sweep", "sweep.yaml"), r"sweep\.yaml")
    assert snapshot(tmp_path) == before


def test_a_config_that_is_missing_is_named(cli: Cli, tmp_path: Path, without_ray: None) -> None:
    assert_refused(cli("sweep", "nowhere.yaml"), str(tmp_path / "nowhere.yaml"), "check the path")
    assert snapshot(tmp_path) == {}


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("content", [b"no weights", {"a": 1}])
def test_weights_that_are_no_checkpoint_are_found_before_any_trial(
    cli: Cli, files: SweepFiles, shapes: Path, no_trials: None, content: Any
) -> None:
    weights = files.folder / "w.pt"
    if isinstance(content, bytes):
        weights.write_bytes(content)
    else:
        torch.save(content, weights)
    config = files.write(data=str(shapes), train={"epochs": 9, "model": "yolov5n", "weights": "w.pt", "device": "cpu"})
    before = snapshot(files.folder)
    assert_refused(cli("sweep", config, "--out", files.run), r"w\.pt", "no YOLOv5 checkpoint", r"give a \.pt file")
    assert snapshot(files.folder) == before


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_wrong_weights_among_the_choices_of_a_space_are_found_before_any_trial(
    cli: Cli, files: SweepFiles, shapes: Path, no_trials: None
) -> None:
    (files.folder / "w.pt").write_bytes(b"no weights")
    choices = {"weights": {"choices": [None, str(files.folder / "w.pt")]}}
    (files.folder / "space.yaml").write_text(yaml.safe_dump({"parameters": choices}))
    config = files.write(data=str(shapes), train={"epochs": 9, "model": "yolov5n", "device": "cpu"})
    before = snapshot(files.folder)
    assert_refused(cli("sweep", config, "--out", files.run), r"w\.pt", "no YOLOv5 checkpoint")
    assert snapshot(files.folder) == before


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_split_without_pictures_is_found_before_any_trial(
    cli: Cli, files: SweepFiles, shapes: Path, no_trials: None
) -> None:
    (files.folder / "nothing").mkdir()
    content = yaml.safe_load(shapes.read_text()) | {"val": str(files.folder / "nothing")}
    (files.folder / "other.yaml").write_text(yaml.safe_dump(content))
    config = files.write(data="other.yaml", train={"epochs": 9, "model": "yolov5n", "device": "cpu"})
    before = snapshot(files.folder)
    assert_refused(cli("sweep", config, "--out", files.run), r"other\.yaml", "`val` holds no picture")
    assert snapshot(files.folder) == before


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_trial_that_fits_on_no_machine_leaves_no_folders(cli: Cli, files: SweepFiles, shapes: Path) -> None:
    config = files.write(data=str(shapes))
    before = snapshot(files.folder)
    found = cli("sweep", config, "--out", files.folder / "made" / "here", "--set", "resources.cpus=99")
    assert_refused(found, "resources: a trial takes 99 CPUs", "ask for less")
    assert snapshot(files.folder) == before


@pytest.mark.slow
def test_a_resume_that_cannot_begin_does_not_extend_the_sweep(
    cli: Cli, finished: SweepFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(address: str | None) -> None:
        raise InputError(f"--address {address}: no Ray cluster answers there; check it with `ray status`.")

    monkeypatch.setattr("search.runtime.ray_runtime", refuse)
    found = cli("resume", finished.run, "--trials", "5", "--address", "nowhere:1")
    assert_refused(found, "--address nowhere:1")
    assert only_json(cli("status", finished.run, "--json").out)["planned"] == 4


def test_a_folder_below_a_file_is_refused(cli: Cli, files: SweepFiles, without_ray: None) -> None:
    config = files.write()
    before = snapshot(files.folder)
    for out in (files.data, files.data / "run"):
        assert_refused(cli("sweep", config, "--out", out), str(out), "choose another")
    assert snapshot(files.folder) == before


# --- sweep: what reaches the call ------------------------------------------------------------------------------------


@pytest.mark.parametrize("interrupted", [False, True])
def test_overrides_reach_the_sweep_and_its_end_the_exit_code(
    cli: Cli, files: SweepFiles, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    asked: list[tuple[SweepConfig, Path, Options]] = []

    def run(config: SweepConfig, out: Path, options: Options) -> SweepResult:
        asked.append((config, out, options))
        return SweepResult(files.run, interrupted, {"RUNNING": 1}, None)

    monkeypatch.setattr(search.sweep, "run_sweep", run)
    found = cli(
        "sweep", files.write(), "--set", "train.epochs=20", "--set", "name=other", "--set", "metric=map50",
        "--address", "auto",
    )  # fmt: skip
    ((config, out, options),) = asked
    assert (config.epochs, config.name, config.metric, config.trials) == (20, "other", "map50", 6)
    assert (out, options.address) == (Path("runs/other"), "auto")
    assert found.code == (130 if interrupted else 0)
    assert (f"go on with: hypsweep resume {files.run}\n" in found.out) is interrupted


# --- demo ------------------------------------------------------------------------------------------------------------


def test_demo_does_not_touch_a_folder_that_holds_something_else(cli: Cli, tmp_path: Path, without_ray: None) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    before = snapshot(tmp_path)
    for out in (tmp_path, tmp_path / "notes.txt"):
        assert_refused(cli("demo", "--out", out), str(out), "choose another")
    assert snapshot(tmp_path) == before


def test_demo_in_a_place_where_no_folder_can_be(cli: Cli, tmp_path: Path, without_ray: None) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert_refused(cli("demo", "--out", tmp_path / "notes.txt" / "demo"), r"notes\.txt/demo", "choose another")


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(int(signal.SIGTERM))], ids=["Ctrl-C", "SIGTERM"])
def test_what_is_stopped_before_its_first_trial_says_so(
    cli: Cli, files: SweepFiles, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    def interrupted(*_: object) -> SweepResult:
        raise stop

    monkeypatch.setattr(search.sweep, "run_sweep", interrupted)
    ended = cli("sweep", files.write())
    assert (ended.code, ended.out, ended.err) == (130, "", "stopped.\n")
