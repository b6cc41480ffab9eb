"""A flow on real trainings: stopped at every step, killed, changed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import ray
import yaml

import search.promote
from data_prep.errors import InputError, StoppedError, WorkFailedError
from search.confirm.result import Confirmation
from search.confirm.run import confirm
from search.confirm.verdict import Verdict
from search.flow import confirm_step, steps, sweep_step
from search.flow.book import FLOW_JSON
from search.flow.config import FlowConfig, load_flow_config
from search.flow.run import run_flow
from search.flow.step import Watch
from search.options import Options
from tests.end_to_end.logged_detection import VARIABLE, LoggedDetection
from tests.search.conftest import ROOT
from tests.shapes import draw_shapes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STEPS = ("sweep", "confirm", "final", "score", "errors", "report")
WORK = (
    (sweep_step, "finish_sweep"),
    (confirm_step, "confirm"),
    (steps, "promote"),
    (steps, "score_test"),
    (steps, "confirmed_errors"),
    (steps, "write_report"),
)
WATCH = Watch(options=Options(trainable=LoggedDetection))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One Ray with two CPUs; the file that names the epochs of sweep and confirmation."""
    path = tmp_path / "epochs.log"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
    monkeypatch.setenv(VARIABLE, str(path))
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield path
    ray.shutdown()


def write(folder: Path, **changes: Any) -> FlowConfig:
    """A flow over drawn shapes; its validation pictures are its test split, too."""
    data = folder / "shapes" / "data.yaml"
    if not data.exists():
        draw_shapes(data.parent, train=16, val=8, seed=3)
        described = yaml.safe_load(data.read_text())
        data.write_text(yaml.safe_dump({**described, "test": described["val"]}))
    (folder / "space.yaml").write_text("parameters:\n  lr0: {low: 0.001, high: 0.1, log: true}\n")
    train = {"model": "yolov5n", "image_size": 64, "batch_size": 8, "nominal_batch_size": 8, "epochs": 2}
    train |= {"min_warmup_iterations": 2, "device": "cpu"}
    sweep = {"name": "s", "data": str(data), "space": "space.yaml", "trials": 3, "train": train}
    (folder / "sweep.yaml").write_text(yaml.safe_dump({**sweep, "scheduler": {"type": "none"}}))
    flow = {"name": "f", "sweep": "sweep.yaml", "confirm": {"top_k": 1, "max_seeds": 2, "undecided": "default"}}
    flow |= {"final": {"epochs": 2}, "score": {"split": "test", "iou": 0.5}}
    (folder / "flow.yaml").write_text(yaml.safe_dump({**flow, **changes}))
    return load_flow_config(folder / "flow.yaml")


def lose_once(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> None:
    """Let a step do its work and be stopped before that is noted."""
    work = getattr(module, name)

    def stopped(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(module, name, work)
        work(*given, **named)
        raise StoppedError("stopped.")

    monkeypatch.setattr(module, name, stopped)


def test_stopped_at_every_step_it_goes_on_there_and_trains_nothing_twice(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = write(tmp_path), tmp_path / "out"
    for step, work in zip(STEPS, WORK, strict=True):
        lose_once(monkeypatch, *work)
        with pytest.raises(StoppedError, match=f"^{step}: stopped; the same command goes on here"):
            run_flow(config, out, WATCH)
    found = run_flow(config, out, WATCH)

    assert found.ran == ("report",)
    assert tuple(found.results) == STEPS
    assert found.results["sweep"]["states"] == {"COMPLETE": 3}
    assert found.results["confirm"]["seeds"] == 2
    assert found.results["final"]["epochs"] == 2
    assert 0 <= found.results["score"]["map"] <= 1
    assert len(log.read_text().splitlines()) == 3 * 2 + 4 * 2  # three trials, two hyps with two seeds; two epochs each
    assert run_flow(config, out, WATCH).ran == ()
    assert run_flow(write(tmp_path, set={"train.workers": 1, "resources.cpus": 0.5}), out, WATCH).ran == ()
    trained = log.read_text()
    (out / FLOW_JSON).unlink()  # every step is looked at, and nothing trained again
    assert run_flow(config, out, WATCH).ran == STEPS
    assert log.read_text() == trained
    assert not list(out.glob("*.before-*"))

    more = write(tmp_path, set={"trials": 4})
    found = run_flow(more, out, WATCH)
    assert found.ran[0] == "sweep"
    assert found.results["sweep"]["states"] == {"COMPLETE": 4}

    other = write(tmp_path, set={"trials": 4, "train.label_smoothing": 0.1}, confirm=None, score=None)
    found = run_flow(other, out, WATCH)
    assert found.ran == ("sweep", "final", "report")
    assert (out / "sweep.before-1" / "best_hyp.yaml").is_file()
    assert tuple(found.results) == ("sweep", "final", "report")

    assert run_flow(other, out, WATCH, start="report").ran == ("report",)
    with pytest.raises(InputError, match="--from score: this flow has the steps sweep, final, report"):
        run_flow(other, out, WATCH, start="score")


@pytest.mark.exhaustive
def test_what_is_undecided_stops_unless_the_flow_says_otherwise(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tiny trainings may decide by chance, so what they say is overruled."""

    def unsure(*given: Any) -> Confirmation:
        return dataclasses.replace(confirm(*given), verdict=Verdict.UNDECIDED, trial=None, checkpoint=None)

    monkeypatch.setattr(confirm_step, "confirm", unsure)
    monkeypatch.setattr(search.promote, "confirm", unsure)
    config, out = write(tmp_path, confirm={"top_k": 1, "max_seeds": 2}), tmp_path / "out"
    with pytest.raises(WorkFailedError, match=r"^confirm: 2 seeds do not decide .*raise confirm\.max_seeds"):
        run_flow(config, out, WATCH)
    assert not (out / "sweep" / "promoted").exists()

    stubborn = {"top_k": 1, "max_seeds": 2, "undecided": "default"}
    found = run_flow(write(tmp_path, confirm=stubborn), out, WATCH)
    assert found.ran == ("confirm", "final", "score", "errors", "report")
    assert found.results["confirm"]["verdict"] == "undecided"
    assert found.results["final"]["trial"] == 0
    assert len(log.read_text().splitlines()) == 3 * 2 + 4 * 2  # the second time nothing was trained


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_killed_at_every_step_it_comes_to_its_end(tmp_path: Path) -> None:
    """By the command line, kill -9 to all of it as soon as the step is noted to have begun."""
    write(tmp_path)
    out, command = tmp_path / "out", [sys.executable, "-m", "search.cli", "run", str(tmp_path / "flow.yaml")]
    for step in STEPS:
        process = subprocess.Popen(
            [*command, "--out", str(out)], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and step not in noted(out):
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    last = subprocess.run([*command, "--out", str(out), "--json"], capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr
    found = json.loads(last.stdout)
    assert set(STEPS) <= found.keys()
    assert sum(found["sweep"]["states"].values()) == 3


def noted(out: Path) -> dict[str, Any]:
    path = out / FLOW_JSON
    steps: dict[str, Any] = json.loads(path.read_text())["steps"] if path.exists() else {}
    return steps
